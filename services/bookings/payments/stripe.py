"""Stripe as a payment provider: the payer pays on a page of Stripe, so no card comes near us.

A charge is a Checkout Session, and its reference the id of the session. The payer gets the page
only after the reference is kept: no money moves for a charge without one.

This imports the library of Stripe, which is an extra: import it only if Stripe is configured.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import stripe
import structlog
from stripe.params.checkout import SessionCreateParams

from services.bookings.errors import WebhookRejected
from services.bookings.payments.provider import (
    NEVER_CHARGED,
    Charged,
    NewCharge,
    NewRefund,
    ProviderEvent,
    ProviderUnavailable,
    Refunded,
    Status,
)
from services.bookings.payments.stripe_amounts import from_stripe, to_stripe

CALL_SECONDS = 5
RETRIES = 2
TOLERANCE_SECONDS = 300
_REFUNDS = {
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
}
_NO_BALANCE = "balance_insufficient"
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Account:
    """What is needed to take payments with an account at Stripe.

    Webhooks are signed by one of `webhook_secrets`. `{payment_id}` stands for the payment in
    `return_url`, to which the payer comes back.
    """

    api_key: str = field(repr=False)
    webhook_secrets: Sequence[str] = field(repr=False)
    return_url: str
    api_url: str


class Stripe:
    """Stripe as a provider. Each call is repeated with its key if no answer comes."""

    name = "stripe"
    needs_token = False

    def __init__(self, client: stripe.StripeClient, account: Account) -> None:
        self._sessions = client.v1.checkout.sessions
        self._refunds = client.v1.refunds
        self._account = account

    def answers_at_once(self, token: str) -> bool:
        """See Provider."""
        return False

    async def start(self, charge: NewCharge) -> Charged:
        """See Provider. Fails at once if Stripe refuses the amount or the currency."""
        amount = to_stripe(charge.amount_minor, charge.currency)
        if amount is None:
            log.error("Stripe takes no such amount", payment=str(charge.payment_id))
            return _failed(charge)
        with _in_doubt():
            try:
                session = await self._sessions.create_async(
                    self._new_session(charge, amount),
                    {"idempotency_key": str(charge.payment_id)},
                )
            except stripe.InvalidRequestError as error:
                log.error("Stripe refuses a charge", error=_in_short(error))  # noqa: TRY400
                return _failed(charge)
        return _read(session)

    async def look_up(self, payment_id: UUID, reference: str | None) -> Charged | None:
        """See Provider."""
        if reference is None:
            return None
        with _in_doubt():
            session = await self._sessions.retrieve_async(reference)
        return _read(session)

    async def cancel(self, payment_id: UUID, reference: str | None) -> Charged:
        """See Provider. Nobody has the page of a charge without a reference."""
        if reference is None:
            return NEVER_CHARGED
        with _in_doubt():
            try:
                session = await self._sessions.expire_async(reference)
            except stripe.InvalidRequestError:  # it is not open any more
                session = await self._sessions.retrieve_async(reference)
        return _read(session)

    async def refund(self, refund: NewRefund) -> Refunded:
        """See Provider. Looks for the refund first: Stripe forgets keys after a day."""
        amount = to_stripe(refund.amount_minor, refund.currency)
        if refund.reference is None or amount is None:
            return Refunded(Status.FAILED)
        with _in_doubt():
            session = await self._sessions.retrieve_async(refund.reference)
            intent = str(session.payment_intent)
            found = await self._find_refund(intent, refund.refund_id)
            try:
                found = found or await self._add_refund(intent, refund.refund_id, amount)
            except stripe.InvalidRequestError as error:
                if error.code == _NO_BALANCE:
                    raise
                log.error("Stripe refuses a refund", error=_in_short(error))  # noqa: TRY400
                return Refunded(Status.FAILED)
        return Refunded(_REFUNDS.get(found.status or "", Status.PENDING), found.id)

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent | None:
        """See Provider."""
        self._verify(body, headers.get("stripe-signature", ""))
        try:
            return _event(orjson.loads(body))
        except _UNREADABLE:
            return None

    def _new_session(self, charge: NewCharge, amount: int) -> SessionCreateParams:
        """Returns a page for cards and wallets, whose outcome is known while the hold lasts.

        It follows from the charge alone: Stripe refuses a repeated key with other parameters.
        """
        payment_id = str(charge.payment_id)
        return_url = self._account.return_url.replace("{payment_id}", payment_id)
        return {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "adaptive_pricing": {"enabled": False},
            "client_reference_id": payment_id,
            "payment_intent_data": {"metadata": {"payment_id": payment_id}},
            "success_url": return_url,
            "cancel_url": return_url,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": charge.currency.lower(),
                        "unit_amount": amount,
                        "product_data": {"name": "Tickets"},
                    },
                }
            ],
        }

    async def _find_refund(self, intent: str, refund_id: UUID) -> stripe.Refund | None:
        listed = await self._refunds.list_async({"payment_intent": intent, "limit": 100})
        async for found in listed.auto_paging_iter():
            metadata = found.to_dict()["metadata"] or {}
            if metadata.get("refund_id") == str(refund_id):
                return found
        return None

    async def _add_refund(self, intent: str, refund_id: UUID, amount: int) -> stripe.Refund:
        return await self._refunds.create_async(
            {
                "payment_intent": intent,
                "amount": amount,
                "metadata": {"refund_id": str(refund_id)},
            },
            {"idempotency_key": str(refund_id)},
        )

    def _verify(self, body: bytes, signature: str) -> None:
        """Raises WebhookRejected unless one of the secrets signed the body within five minutes.

        The library refuses the past only.
        """
        if not any(_is_signed(body, signature, each) for each in self._account.webhook_secrets):
            raise WebhookRejected
        times = [item.split("=")[1] for item in signature.split(",") if item.startswith("t=")]
        if int(times[0]) > time.time() + TOLERANCE_SECONDS:
            raise WebhookRejected


@contextlib.asynccontextmanager
async def open_stripe(account: Account) -> AsyncIterator[Stripe]:
    """Opens connections to Stripe while the block runs."""
    # It would send the platform and an id that it writes into the home directory.
    stripe.enable_telemetry = False
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = stripe.StripeClient(
            account.api_key,
            base_addresses={"api": account.api_url},
            max_network_retries=RETRIES,
            http_client=stripe.AIOHTTPClient(timeout=timeout, session=session),
        )
        yield Stripe(client, account)


@contextlib.contextmanager
def _in_doubt() -> Iterator[None]:
    """Raises ProviderUnavailable in place of errors that leave open what Stripe has done."""
    try:
        yield
    # The library lets errors through that occur while a body is read.
    except (stripe.StripeError, aiohttp.ClientError, TimeoutError) as error:
        raise ProviderUnavailable(_in_short(error)) from None


def _in_short(error: Exception) -> str:
    """Names an error without its message, which may quote what was sent."""
    if isinstance(error, stripe.StripeError):
        parts = (type(error).__name__, error.http_status, error.code, error.request_id)
        return " ".join(str(part) for part in parts if part)
    return type(error).__name__


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
    # The library lets errors of decoding and comparing through.
    except (stripe.SignatureVerificationError, TypeError, ValueError):
        return False
    return True


def _event(event: Any) -> ProviderEvent | None:
    """Reads an event; fails in some way or other if it is about something else."""
    if not event["type"].startswith("checkout.session."):
        return None
    session = event["data"]["object"]
    return ProviderEvent(event["id"], UUID(session["client_reference_id"]), _charged(session))


def _read(session: stripe.checkout.Session) -> Charged:
    """Reads the session of an answer; one that cannot be read leaves open what Stripe has done."""
    try:
        return _charged(session.to_dict())
    except _UNREADABLE as error:
        raise ProviderUnavailable("the session cannot be read") from error


def _charged(session: Mapping[str, Any]) -> Charged:
    """Reads a session. One that is complete and not paid is still being paid."""
    currency = session["currency"].upper()
    return Charged(
        _status(session["status"], session["payment_status"]),
        session["id"],
        from_stripe(session["amount_total"], currency),
        currency,
        session.get("url"),
    )


def _status(session: str, payment: str) -> Status:
    if payment == "paid":
        return Status.SUCCEEDED
    return Status.FAILED if session == "expired" else Status.PENDING


def _failed(charge: NewCharge) -> Charged:
    return Charged(Status.FAILED, None, charge.amount_minor, charge.currency)
