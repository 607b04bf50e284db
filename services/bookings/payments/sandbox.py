"""The sandbox: a payment provider that moves no money, and does what the token of a charge says.

    tok_ok          the charge succeeds
    tok_decline     it fails, as with any token that is not listed here
    tok_slow_<ms>   it succeeds after so many milliseconds
    tok_lost        it succeeds, but neither an answer nor a webhook comes
    tok_twice       it is answered as pending; then its webhook comes twice, and an older one last

Its charges are rows of the database: like those of a real provider they survive our crashes.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg.errors
from psycopg.rows import class_row
from standardwebhooks.webhooks import Webhook as Signer
from standardwebhooks.webhooks import WebhookVerificationError

from services.bookings.errors import WebhookRejected
from services.bookings.payments.provider import (
    Charged,
    NewCharge,
    NewRefund,
    ProviderEvent,
    ProviderUnavailable,
    Refunded,
    Status,
)
from services.kit.concurrency.combiner import Combiner
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
LOST, TWICE = "tok_lost", "tok_twice"
TWICE_MILLISECONDS = 50
ADD_SECONDS = 5
ADDED_AT_ONCE = 256
WAITING = 4_096

_SLOW = re.compile(r"tok_slow_(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as the sandbox has it, and in how many seconds its status is known."""

    id: UUID
    token: str
    status: str
    amount_minor: int
    currency: str
    pending_seconds: float

    @property
    def charged(self) -> Charged:
        """The charge as Boxoffice sees it."""
        reference = f"ch_{self.id.hex}"
        return Charged(Status(self.status), reference, self.amount_minor, self.currency)


class Sandbox:
    """The sandbox as a provider. `secret` signs its webhooks, by the Standard Webhooks scheme."""

    name = "sandbox"
    needs_token = True

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool = pool
        self._signer = Signer(secret)
        self._adding = Combiner(
            self._add, at_once=ADDED_AT_ONCE, waiting=WAITING, whole=ADDED_AT_ONCE
        )

    def answers_at_once(self, token: str) -> bool:
        """See Provider. Only `tok_slow_<ms>` takes its time."""
        return not _SLOW.fullmatch(token)

    async def start(self, charge: NewCharge) -> Charged:
        """See Provider. Returns once the status is known, but at once for `tok_twice`."""
        found = await self._adding.ask(charge, timeout_seconds=ADD_SECONDS)
        if charge.token == LOST:
            raise ProviderUnavailable("the answer was lost, as the token says")
        if found.pending_seconds > 0 and found.token != TWICE:
            await asyncio.sleep(found.pending_seconds)
            found = await self._get(charge.payment_id)
        return found.charged

    async def look_up(self, payment_id: UUID, reference: str | None) -> Charged | None:
        """See Provider."""
        found = (await self._find([payment_id])).get(payment_id)
        return found.charged if found else None

    async def cancel(self, payment_id: UUID, reference: str | None) -> Charged:
        """See Provider. An unknown charge is added as a failed one, so it cannot start later."""
        async with self._pool.connection() as connection:
            await connection.execute(SQL["cancel_charge"], {"id": payment_id})
        return (await self._get(payment_id)).charged

    async def refund(self, refund: NewRefund) -> Refunded:
        """See Provider."""
        values = {
            "id": refund.refund_id,
            "charge_id": refund.payment_id,
            "amount_minor": refund.amount_minor,
        }
        try:
            async with self._pool.connection() as connection:
                await connection.execute(SQL["add_refund"], values)
        except (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation):
            return Refunded(Status.FAILED)
        return Refunded(Status.SUCCEEDED, f"re_{refund.refund_id.hex}")

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent | None:
        """See Provider."""
        try:
            self._signer.verify(body, dict(headers), json_parse=False)
        # The library lets errors of decoding through.
        except (WebhookVerificationError, ValueError) as error:
            raise WebhookRejected from error
        try:
            return _event(headers["webhook-id"], orjson.loads(body))
        except (LookupError, TypeError, ValueError):
            return None

    def sign(self, event_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """Returns the headers of a webhook that is sent at a time."""
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(event_id, at, body.decode()),
        }

    async def _add(self, charges: Sequence[NewCharge]) -> Sequence[Charge]:
        """Adds charges that are not there yet, and reads all of them."""
        values = {"charges": queries.as_json([_added(charge) for charge in charges])}
        found = await self._read("add_charges", values)
        if known := [each.payment_id for each in charges if each.payment_id not in found]:
            found |= await self._find(known)
        return [found[charge.payment_id] for charge in charges]

    async def _get(self, charge_id: UUID) -> Charge:
        return (await self._find([charge_id]))[charge_id]

    async def _find(self, charge_ids: Sequence[UUID]) -> dict[UUID, Charge]:
        return await self._read("find_charges", {"ids": charge_ids})

    async def _read(self, statement: str, values: Mapping[str, object]) -> dict[UUID, Charge]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Charge))
            await cursor.execute(SQL[statement], values)
            return {charge.id: charge for charge in await cursor.fetchall()}


def _added(charge: NewCharge) -> dict[str, object]:
    milliseconds = _milliseconds(charge.token)
    return {
        "id": charge.payment_id,
        "token": charge.token,
        "amount_minor": charge.amount_minor,
        "currency": charge.currency,
        "outcome": Status.FAILED if milliseconds is None else Status.SUCCEEDED,
        "milliseconds": milliseconds or 0,
        "told": _told(charge.token, milliseconds),
    }


def _milliseconds(token: str) -> int | None:
    """Returns after how many milliseconds a charge succeeds; None if it fails at once."""
    if slow := _SLOW.fullmatch(token):
        return int(slow[1])
    return {"tok_ok": 0, LOST: 0, TWICE: TWICE_MILLISECONDS}.get(token)


def _told(token: str, milliseconds: int | None) -> list[str]:
    """Returns the statuses that webhooks tell of, in their order."""
    if token == LOST:
        return []
    if token == TWICE:
        return [Status.SUCCEEDED, Status.SUCCEEDED, Status.PENDING]
    return [Status.FAILED if milliseconds is None else Status.SUCCEEDED]


def _event(event_id: str, news: Any) -> ProviderEvent:
    """Reads the news of a charge. Raises LookupError, TypeError or ValueError for other news."""
    charge = news["charge"]
    payment_id = UUID(str(charge["id"]))
    charged = Charged(
        Status(charge["status"]),
        f"ch_{payment_id.hex}",
        charge["amount_minor"],
        charge["currency"],
    )
    return ProviderEvent(event_id, payment_id, charged)
