"""Checkouts: requests to pay, from their bookings to what the providers have answered.

The requests of a batch take each step together: one transaction starts their payments, and another
one settles them. In between their providers are asked, outside any transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from uuid import UUID, uuid4

from services.bookings import asks
from services.bookings.access import Viewer
from services.bookings.asks import Decider, idempotency_key
from services.bookings.errors import PaymentDeclined, TicketNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Outcome as Decided
from services.bookings.inventory.commands import Replayed
from services.bookings.inventory.payment_commands import Paid, StartPayment
from services.bookings.payments import card_numbers, messages
from services.bookings.payments.attempts import Attempt, Attempts, Started
from services.bookings.payments.details import (
    BookingKey,
    PaymentRequest,
    ShownPayment,
    TicketId,
)
from services.bookings.payments.messages import PaymentResponse
from services.bookings.payments.payments import Payments
from services.bookings.payments.provider import Provider
from services.bookings.payments.providers import Providers
from services.bookings.references import (
    BookingName,
    FoundBooking,
    expect_visible,
    find_bookings,
)
from services.kit.database import idempotency, queries
from services.kit.database.idempotency import Completion, Key, Result, refusal_bytes
from services.kit.database.postgres import Pool, in_doubt
from services.kit.rpc.errors import (
    Busy,
    OutcomeUnknown,
    Refusal,
    Unavailable,
    ValidationFailed,
    Violation,
)

SQL = queries.load(__file__)
CREATE = "create_payment"

Outcome: TypeAlias = PaymentResponse | Exception
OutcomeT = TypeVar("OutcomeT")
Found: TypeAlias = Mapping[BookingKey, FoundBooking]


class Checkouts:
    """Pays for bookings that their viewers may see."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider,
        providers: Providers,
        attempts: Attempts,
        payments: Payments,
    ) -> None:
        self._pool = pool
        self._decider = decider
        self._providers = providers
        self._attempts = attempts
        self._payments = payments

    async def pay(self, requests: Sequence[PaymentRequest], *, skip_busy: bool) -> list[Outcome]:
        """Pays, and returns a response or a refusal for each request.

        With `skip_busy` requests are Busy instead of waiting for a lock, or for a provider that
        does not answer at once. Raises Unavailable without a provider.
        """
        asked = await self._asks_of(requests, skip_busy=skip_busy)
        decided = await asks.decide(self._decider, asked, skip_busy=skip_busy)
        outcomes = list(map(_response, decided))
        begun = [
            _Begun(number, request, outcome, paid if isinstance(paid, Paid) else None)
            for number, (request, outcome, paid) in enumerate(
                zip(requests, outcomes, decided, strict=True)
            )
            if isinstance(outcome, PaymentResponse) and not outcome.payment.status
        ]
        late = []
        for each, finished in zip(begun, await self._finish(begun), strict=True):
            if finished is None:
                late.append(each.number)
            else:
                outcomes[each.number] = finished
        repeated = await self._repeat([asked[number] for number in late])
        for number, outcome in zip(late, repeated, strict=True):
            outcomes[number] = outcome
        return outcomes

    async def _asks_of(
        self, requests: Sequence[PaymentRequest], *, skip_busy: bool
    ) -> list[Ask | Refusal]:
        """Asks to start payments; returns why, where none can be asked for."""
        provider = self._providers.of_new_payments()
        found = await self._find({request.new.booking for request in requests})

        def ask(request: PaymentRequest) -> Ask:
            _expect_to_suit(request, provider)
            if skip_busy and not provider.answers_at_once(request.new.token):
                raise Busy
            return _ask(request, provider, found)

        return asks.read_each(requests, ask)

    async def _find(self, keys: Collection[BookingKey]) -> Found:
        """Finds bookings, whose events never change, before any lock."""
        names = [key for key in keys if isinstance(key, BookingName)]
        ticket_ids = [key.ticket_id for key in keys if isinstance(key, TicketId)]
        found = dict[BookingKey, FoundBooking]((await find_bookings(self._pool, names)).items())
        if ticket_ids:
            async with self._pool.connection() as connection:
                values = {"ticket_ids": ticket_ids}
                cursor = await connection.execute(SQL["find_ticketed"], values)
                for ticket_id, *columns in await cursor.fetchall():
                    found[TicketId(ticket_id)] = FoundBooking(*columns)
        return found

    async def _finish(self, begun: Sequence["_Begun"]) -> Sequence[Outcome | None]:
        """Asks the providers, and completes the responses; None where a repetition was faster.

        A failure concerns the payments that have begun, and no other requests of their batch.
        """
        if not begun:
            return []
        try:
            with in_doubt():
                return await self._ask_providers(begun)
        except Exception as error:  # noqa: BLE001 - the outcome of each of them
            return [error] * len(begun)

    async def _ask_providers(self, begun: Sequence["_Begun"]) -> Sequence[Outcome | None]:
        attempts = await self._attempts_of(begun)
        tokens = {each.payment_id: each.request.new.token for each in begun}
        started = await self._attempts.start(
            [(attempt, tokens[attempt.id]) for attempt in attempts.values()]
        )
        shown = await self._shown(started)
        outcomes: list[Outcome | None] = []
        first: dict[int, Completion] = {}
        for number, each in enumerate(begun):
            state = started.get(each.payment_id, OutcomeUnknown())
            if isinstance(state, Exception):
                outcomes.append(_in_doubt(state))
                continue
            outcome = each.outcome(shown[each.payment_id], state.redirect_url)
            outcomes.append(outcome)
            if each.key and state.is_answered:
                first[number] = each.completion(each.key, outcome)
        for number in await self._complete(first):
            outcomes[number] = None
        return outcomes

    async def _repeat(self, asked: Sequence[Ask | Refusal]) -> Sequence[Outcome]:
        """Finds the responses of those whose repetitions were faster; in doubt if that fails."""
        if not asked:
            return []
        try:
            with in_doubt():
                replays = await asks.decide(self._decider, asked, skip_busy=False)
        except Exception as error:  # noqa: BLE001 - the outcome of each of them
            return [error] * len(asked)
        return [_in_doubt(_response(replay)) for replay in replays]

    async def _attempts_of(self, begun: Sequence["_Begun"]) -> dict[UUID, Attempt]:
        """Returns the attempts that have begun; reads those of repeated requests.

        In a cluster one may be missing: after a crash its commit reaches its node late.
        """
        attempts = {each.payment_id: Attempt.of(each.paid.payment) for each in begun if each.paid}
        repeated = {each.payment_id for each in begun} - attempts.keys()
        return attempts | (await self._attempts.find(repeated) if repeated else {})

    async def _shown(self, started: Mapping[UUID, Started | Exception]) -> dict[UUID, ShownPayment]:
        """Returns payments as they are now; reads those that were not settled just now."""
        shown: dict[UUID, ShownPayment] = {}
        unread = []
        for payment_id, state in started.items():
            if isinstance(state, Started) and state.paid:
                shown[payment_id] = ShownPayment.of(state.paid)
            elif isinstance(state, Started):
                unread.append(payment_id)
        if unread:
            shown |= await self._payments.find_all(unread)
        return shown

    async def _complete(self, first: Mapping[int, Completion]) -> list[int]:
        """Keeps first responses; returns the numbers of those that come too late."""
        if not first:
            return []
        async with self._pool.connection() as connection:
            kept = await idempotency.complete(connection, [*first.values()])
        return [number for number, is_kept in zip(first, kept, strict=True) if not is_kept]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request whose payment is committed, and its response, which may have only the id yet.

    `paid` is the payment unless the request was repeated.
    """

    number: int
    request: PaymentRequest
    response: PaymentResponse
    paid: Paid | None

    @property
    def payment_id(self) -> UUID:
        """The id of the payment."""
        return UUID(self.response.payment.payment_id)

    @property
    def key(self) -> Key | None:
        """The idempotency key of the request."""
        return idempotency_key(self.request.viewer, CREATE, self.request.request_id)

    def outcome(self, shown: ShownPayment, redirect_url: str | None) -> Outcome:
        """Completes the response and returns it, or the refusal in its place."""
        self.response.payment.CopyFrom(messages.payment(shown, redirect_url))
        if shown.status == "FAILED":
            return PaymentDeclined(replayed="true" if self.response.replayed else None)
        return self.response

    def completion(self, key: Key, outcome: Outcome) -> Completion:
        """Returns what repeated requests get, in place of the payment's id alone."""
        incomplete = messages.incomplete(self.payment_id).SerializeToString()
        if isinstance(outcome, PaymentDeclined):
            refusal = refusal_bytes(PaymentDeclined())
            return Completion(incomplete, Result(key, is_refusal=True, response=refusal))
        response = PaymentResponse(payment=self.response.payment).SerializeToString()
        return Completion(incomplete, Result(key, is_refusal=False, response=response))


def _response(outcome: Decided) -> Outcome:
    """Returns the response that is stored, or the one to be completed, or a refusal."""
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(outcome, Replayed):
        return asks.replayed(outcome, PaymentResponse)
    return messages.started(outcome)


def _in_doubt(outcome: OutcomeT) -> OutcomeT | OutcomeUnknown:
    """Returns OutcomeUnknown in place of a refusal by which certainly nothing was done."""
    return OutcomeUnknown() if isinstance(outcome, Unavailable) else outcome


def _ask(request: PaymentRequest, provider: Provider, found: Found) -> Ask:
    new, viewer = request.new, request.viewer
    booking = _visible(found, new.booking, viewer)
    event_id, booking_id = booking.event_id, booking.booking_id
    command = StartPayment(event_id, booking_id, uuid4(), provider.name, new.method, new.amount)
    content = (event_id, booking_id, new.method, new.token, *(new.amount or ()))
    key = idempotency_key(viewer, CREATE, request.request_id, *content)
    return Ask(command, key, messages.started)


def _expect_to_suit(request: PaymentRequest, provider: Provider) -> None:
    """Raises ValidationFailed for the number of a card, and for a token that is missing."""
    card_numbers.expect_none({"token": request.new.token, "request_id": request.request_id})
    if provider.needs_token and not request.new.token:
        raise ValidationFailed(violations=[Violation("token", "value is required")])


def _visible(found: Found, key: BookingKey, viewer: Viewer) -> FoundBooking:
    booking = found.get(key)
    if isinstance(key, BookingName):
        return expect_visible(booking, key, viewer)
    if booking is None or not booking.is_visible_to(viewer):
        raise TicketNotFound
    return booking
