"""A stand-in of Stripe: sessions, refunds, idempotency keys, and failures that a test sets."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import stripe
from aiohttp import web

from services.bookings.payments.stripe import Account, Stripe, open_stripe
from tests.services.conditions import until

SECRET, NEXT_SECRET = "whsec_in_use", "whsec_next"
KEY = "rk_test_secret"
PAGE = "https://shop.example/paid/{payment_id}"


@dataclass
class StripeStandIn:
    """Answers as Stripe does; `faults` are what becomes of the next requests, one each.

    `lost` does what is asked and drops the connection, `500` does nothing and keeps that answer for
    the key, `429` and `401` refuse, `slow` answers once `gate` is open.
    """

    url: str = ""
    faults: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    refunds_are: str = "succeeded"
    balance: int = 10**9
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    headers: Mapping[str, str] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    keys: dict[str, tuple[Any, int, bytes]] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """The account that the stand-in has."""
        return Account(KEY, (SECRET, NEXT_SECRET), PAGE, self.url)

    def pay(self, reference: str) -> dict[str, Any]:
        """Pays on the page of a session, as the payer does; returns the session."""
        session = self.sessions[reference]
        assert session["status"] == "open"
        session |= {"status": "complete", "payment_status": "paid", "url": None}
        session["payment_intent"] = f"pi_{reference}"
        return session

    async def until_asked(self) -> None:
        """Waits until a request has come."""

        async def has_come() -> bool:
            return bool(self.asked)

        await until(has_come)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serves a request, or fails as it is set."""
        fault = self.faults.pop(0) if self.faults else ""
        self.asked[request.method, request.path] += 1
        self.headers = request.headers
        form = {name: str(value) for name, value in (await request.post()).items()}
        if fault == "slow":
            await self.gate.wait()
        if fault in {"401", "429"}:
            return _error(int(fault), "lock_timeout")
        response = self._repeated(request, form, fault)
        if fault == "lost":
            assert request.transport
            request.transport.abort()
        return response

    def _repeated(self, request: web.Request, form: dict[str, str], fault: str) -> web.Response:
        """Does what is asked once for each key, and repeats the response."""
        key = request.headers.get("Idempotency-Key")
        asked = (request.path, form)
        if key and key in self.keys:
            known, status, body = self.keys[key]
            if known != asked:
                return _error(400, "", kind="idempotency_error")
            return web.Response(status=status, body=body, content_type="application/json")
        response = _error(500, "") if fault == "500" else self._do(request, form)
        if key and response.status != 400:
            assert isinstance(response.body, bytes)
            self.keys[key] = (asked, response.status, response.body)
        return response

    def _do(self, request: web.Request, form: dict[str, str]) -> web.Response:
        match request.method, request.path.removeprefix("/v1/").split("/"):
            case "POST", ["checkout", "sessions"]:
                return self._add_session(form)
            case "GET", ["checkout", "sessions", name]:
                return web.json_response(self.sessions[name])
            case "POST", ["checkout", "sessions", name, "expire"]:
                return self._expire(self.sessions[name])
            case "GET", ["refunds"]:
                intent = request.query["payment_intent"]
                found = [each for each in self.refunds if each["payment_intent"] == intent]
                listed = {"object": "list", "data": found, "has_more": False, "url": "/v1/refunds"}
                return web.json_response(listed)
            case "POST", ["refunds"]:
                return self._add_refund(form)
        return _error(404, "")

    def _add_session(self, form: dict[str, str]) -> web.Response:
        self.forms.append(form)
        amount = int(form["line_items[0][price_data][unit_amount]"])
        if amount < 50 or "payment_method_types[0]" in form:
            return _error(400, "amount_too_small")
        session = {
            "id": f"cs_{uuid4().hex}",
            "object": "checkout.session",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": amount,
            "currency": form["line_items[0][price_data][currency]"],
            "client_reference_id": form["client_reference_id"],
            "url": "https://checkout.example/page",
        }
        self.sessions[str(session["id"])] = session
        return web.json_response(session)

    def _expire(self, session: dict[str, Any]) -> web.Response:
        if session["status"] != "open":
            return _error(400, "")
        session |= {"status": "expired", "url": None}
        return web.json_response(session)

    def _add_refund(self, form: dict[str, str]) -> web.Response:
        intent, amount = form["payment_intent"], int(form["amount"])
        paid = self.sessions[intent.removeprefix("pi_")]["amount_total"]
        before = sum(each["amount"] for each in self.refunds if each["payment_intent"] == intent)
        if before + amount > paid:
            return _error(400, "charge_already_refunded")
        if amount > self.balance:
            return _error(400, "balance_insufficient")
        refund = {
            "id": f"re_{len(self.refunds)}",
            "object": "refund",
            "status": self.refunds_are,
            "amount": amount,
            "payment_intent": intent,
            "metadata": {"refund_id": form["metadata[refund_id]"]},
        }
        self.refunds.append(refund)
        return web.json_response(refund)


@contextlib.asynccontextmanager
async def stripe_serving() -> AsyncIterator[tuple[StripeStandIn, Stripe]]:
    """Serves the stand-in; yields it and a provider that uses it."""
    stand_in, app = StripeStandIn(), web.Application()
    app.router.add_route("*", "/{path:.*}", stand_in.serve)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with open_stripe(stand_in.account) as provider:
            yield stand_in, provider
    finally:
        await runner.cleanup()


def event(session: Mapping[str, Any], kind: str = "checkout.session.completed") -> bytes:
    """Writes an event about a session."""
    news = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": session}}
    return orjson.dumps(news)


def signed(body: bytes, secret: str = SECRET, seconds: int = 0) -> dict[str, str]:
    """Signs an event as the library of Stripe does, some seconds from now."""
    signer, at = stripe.WebhookSignature, int(time.time()) + seconds
    return {"stripe-signature": signer.generate_signature_header(body.decode(), secret, at)}


def _error(status: int, code: str, kind: str = "invalid_request_error") -> web.Response:
    error = {"error": {"type": kind, "code": code, "message": "said about secret things"}}
    # Stripe asks to repeat where that helps, and not where the key has an answer already.
    headers = {"stripe-should-retry": "true" if status == 429 else "false"}
    return web.json_response(error, status=status, headers=headers)
