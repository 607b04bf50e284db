"""Compares the core over tables in memory with the reference, batch by batch."""

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.bookings.errors import SeatNotFound, SeatsUnavailable
from services.bookings.inventory.changes import Change, Kind, Recorded
from services.bookings.inventory.commands import (
    Booked,
    Cancel,
    Cancelled,
    Command,
    Deferred,
    Done,
    Judgement,
    LeftLine,
    Outcome,
    SeatOutcome,
    UnknownEvent,
    Waiting,
)
from services.bookings.inventory.decide import decide
from services.bookings.inventory.payment_commands import Paid, PaymentCommand, Refunding
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.seat_commands import (
    IssueTicket,
    Release,
    Released,
    Seated,
    SeatsBlocked,
)
from services.bookings.inventory.stock import Stock
from services.kit.rpc.errors import Refusal
from tests.services.bookings.inventory.lives import NO_PLANS, OFFER_SECONDS, Lives, made_up_plans
from tests.services.bookings.inventory.memory import Memory
from tests.services.bookings.inventory.reference import UNKNOWN, Reference
from tests.services.bookings.inventory.reference_event import Answer, Event, LedgerRow
from tests.services.bookings.inventory.tables import Tables
from tests.services.bookings.seating.plans import LoadedPlans

BY_NUMBER = Cancel | Release | IssueTicket | PaymentCommand
Made = Mapping[int, int]
"""For an event, the revisions that made its bookings, by booking number."""
COMMANDS = int(os.environ.get("BOXOFFICE_RANDOM_COMMANDS", "24000"))
"""How many commands a search tries; more are worth their time after changes to the core."""
FREEING = frozenset({Kind.CANCELLED, Kind.EXPIRED, Kind.LEFT, Kind.RESIZED})


class Comparison:
    """Random lives of events, decided by the core and by the reference.

    `omitted` names reads of needs.py that are left out. With `seated` most events have assigned
    seats; with `paying` many commands are about payments.
    """

    def __init__(
        self, seed: int, omitted: Iterable[str] = (), *, seated: bool = False, paying: bool = False
    ) -> None:
        plans = made_up_plans(seed) if seated else NO_PLANS
        prices = self._price if paying else None
        self.lives = Lives(seed, self._bookings, plans, prices=prices)
        self._memory = Memory(omitted)
        self._plans = LoadedPlans(plans)
        self._reference = Reference(OFFER_SECONDS, plans)

    def run(self, count: int) -> int:
        """Decides at least `count` commands; fails at the first difference."""
        compared = 0
        while compared < count:
            commands = self.lives.batch()
            self.decide(commands, self.lives.now)
            compared += len(commands)
        return compared

    def decide(self, commands: Sequence[Command], now: datetime) -> None:
        """Decides a batch; fails at the first difference."""
        stocks, identities = self._memory.load(commands, now)
        context = Context(now, identities, OFFER_SECONDS, self._plans)
        outcomes = decide(stocks, commands, context)
        self._memory.save(stocks, now)
        for command, outcome in zip(commands, outcomes, strict=True):
            tables = self._memory.events.get(command.event_id)
            made: Made = tables.made if tables else {}
            assert not isinstance(outcome, Deferred)
            named = made.get(command.booking_id) if isinstance(command, BY_NUMBER) else None
            expected = self._reference.decide(command, now, named)
            answer = answer_of(outcome, made)
            assert answer == expected, f"{command}: {answer}, expected {expected} in {commands}"
        for event_id, stock in stocks.items():
            tables = self._memory.events[event_id]
            _expect_same(stock, tables, self._reference.events[event_id], now)
            if stock.is_closed and self.lives.random.random() < 0.1:
                tables.close()

    def _price(self, event_id: int, payment_id: UUID) -> int:
        return self._reference.price(event_id, payment_id)

    def _bookings(self, event_id: int) -> Sequence[int]:
        """Lists live bookings of an event, or if there are none, some that have ended."""
        tables = self._memory.events.get(event_id)
        if tables is None:
            return ()
        return tuple(tables.live) or tuple(tables.bookings)[-3:]


def search(seed: int, *, at_once: int, seated: bool = False, paying: bool = False) -> None:
    """Compares lives of so many commands; half of the lives are the same each time, half are new.

    Shows the call that repeats the life in which they differ.
    """
    drawn = secrets.randbits(32)
    for first in range(0, COMMANDS, 2 * at_once):
        for begun in (seed + first, drawn + first):
            print(f"Comparison({begun}, {seated=}, {paying=}).run({at_once})")
            Comparison(begun, seated=seated, paying=paying).run(at_once)


def answer_of(outcome: Outcome, made: Made) -> Answer:
    """Converts an outcome into an answer of the reference."""
    if isinstance(outcome, Booked):
        booking = outcome.booking
        held = booking.user_id, booking.seat_count, booking.price_amount_minor, booking.status
        kept = booking.expires_at, tuple(booking.seat_ids)
        kind = "BOOKED" if booking.place is None else "OFFERED"
        return (kind, outcome.rev, made[booking.id], *held, *kept)
    if isinstance(outcome, Waiting):
        place = outcome.user_id, outcome.seat_count, outcome.position
        return ("WAITING", outcome.rev, *place)
    if isinstance(outcome, Cancelled):
        return ("CANCELLED", outcome.rev, made[outcome.booking.id], outcome.served)
    if isinstance(outcome, LeftLine):
        return ("LEFT", outcome.rev, outcome.served)
    if isinstance(outcome, Judgement):
        judged = str(outcome.verdict), outcome.refusal, outcome.cancelled_bookings
        return ("JUDGED", outcome.inventory_rev, *judged)
    return _other_answer(outcome, made)


def _seats_answer(outcome: SeatOutcome, made: Made) -> Answer:
    if isinstance(outcome, Seated):
        booking = outcome.booking
        held = booking.user_id, tuple(booking.seat_ids), booking.price_amount_minor
        ends = booking.expires_at, tuple(outcome.unavailable)
        kind = "SEATED" if outcome.changed else "KEPT"
        return (kind, outcome.rev, made[booking.id], *held, *ends)
    if isinstance(outcome, Released):
        kind = "RELEASED" if outcome.seat_count else "KEPT"
        return (kind, outcome.rev, outcome.seat_count, outcome.served)
    assert isinstance(outcome, SeatsBlocked)
    return ("BLOCKED", outcome.rev, tuple(outcome.seat_ids))


def _money_answer(outcome: Paid | Refunding, made: Made) -> Answer:
    payment = outcome.payment
    if isinstance(outcome, Refunding):
        kind = "REFUND" if outcome.changed else "KEPT"
        written = outcome.refund.amount_minor, outcome.refund.status
        return (kind, outcome.rev, payment.status, *written)
    is_valid = outcome.ticket is not None and outcome.ticket.valid_at is not None
    kind, received = "PAID" if outcome.changed else "KEPT", payment.received_minor
    settled = payment.status, received, payment.mismatched, is_valid
    return (kind, outcome.rev, made[payment.booking_id], *settled)


def _other_answer(outcome: Outcome, made: Made) -> Answer:
    if isinstance(outcome, Seated | Released | SeatsBlocked):
        return _seats_answer(outcome, made)
    if isinstance(outcome, Paid | Refunding):
        return _money_answer(outcome, made)
    if isinstance(outcome, Done):
        return ("DONE", None, outcome.changed)
    if isinstance(outcome, UnknownEvent):
        return UNKNOWN
    return _refusal_answer(outcome, made)


def _refusal_answer(outcome: Outcome, made: Made) -> Answer:
    assert isinstance(outcome, Refusal)
    metadata = outcome.metadata
    rev, booking = metadata.get("inventory_revision"), metadata.get("booking_id")
    if isinstance(outcome, SeatNotFound):
        return (outcome.reason, int(rev or 0), tuple(outcome.seat_ids))
    if isinstance(outcome, SeatsUnavailable):
        why = outcome.shortage
        reasons = tuple(sorted(why.reasons.items()))
        details = reasons, why.free_again_at, tuple(why.orphans), why.left
        return (outcome.reason, int(rev or 0), *details)
    position = metadata.get("position")
    return (
        outcome.reason,
        int(rev) if rev else None,
        made[int(booking)] if booking else None,
        int(position) if position else None,
    )


def _expect_same(stock: Stock, tables: Tables, event: Event, now: datetime) -> None:
    """Fails unless ledger, columns, holders and waiting list equal those of the reference."""
    made = tables.made
    rows = [_ledger_row(recorded, made) for recorded in stock.changes]
    assert rows == event.ledger[len(event.ledger) - len(rows) :]
    assert tables.state() == (
        event.rev,
        event.look_at,
        event.closed,
        event.frozen,
        event.epoch,
        event.judged,
        *event.verdict,
        event.skip_fit,
        event.capacity,
        event.state.status,
    )
    if not event.closed:
        assert [made[number] for number in tables.live] == list(event.live)
        assert [entry.user_id for entry in tables.line.values()] == [
            party.user for party in event.line
        ]
        tables.expect_sound()
        tables.expect_money()
        tables.expect_seats({each.made: each.ids for each in event.live.values()}, event.blocked)
        # The next sweep serves an entry that joined behind parties that want too much.
        kinds = [recorded.change.kind for recorded in stock.changes]
        if (
            FREEING.intersection(kinds)
            and Kind.JOINED not in kinds
            and event.objection(now, None) is None
        ):
            tables.expect_no_seat_for_the_head()


def _ledger_row(recorded: Recorded, made: Made) -> LedgerRow:
    rev, change, capacity = recorded
    booking = change.booking
    named = booking.id if booking else change.payment.booking_id if change.payment else None
    return (
        rev,
        change.kind,
        change.user_id,
        change.sold + change.held + change.blocked,
        change.place,
        made[named] if named else None,
        booking.expires_at if booking else None,
        capacity if _is_sized(change) else None,
        tuple(booking.seat_ids if booking else change.seat_ids),
    )


def _is_sized(change: Change) -> bool:
    return change.kind in {Kind.OPENED, Kind.RESIZED, Kind.CLOSED}
