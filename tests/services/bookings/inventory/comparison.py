"""The core on tables in memory, batch by batch, and the reference: they have to agree."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.bookings.inventory.commands import (
    Booked,
    Cancel,
    Cancelled,
    Command,
    Done,
    Judgement,
    LeftLine,
    Outcome,
    UnknownEvent,
    Waiting,
)
from services.bookings.inventory.decide import decide
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.stock import Kind, Recorded, Stock
from services.kit.rpc.errors import Refusal
from tests.services.bookings.inventory.lives import OFFER_SECONDS, Lives
from tests.services.bookings.inventory.memory import Memory, Tables
from tests.services.bookings.inventory.reference import UNKNOWN, Reference
from tests.services.bookings.inventory.reference_event import Answer, Event, Told

Made = Mapping[int, int]
"""The revisions that made the bookings of an event, by their numbers."""
FREEING = frozenset({Kind.CANCELLED, Kind.EXPIRED, Kind.LEFT, Kind.RESIZED})


class Comparison:
    """Lives of events that follow from a seed, decided twice.

    `omitted` names reads of needs.py that are left out.
    """

    def __init__(self, seed: int, omitted: Iterable[str] = ()) -> None:
        self.lives = Lives(seed, self._bookings)
        self._memory = Memory(omitted)
        self._reference = Reference(OFFER_SECONDS)

    def run(self, count: int) -> int:
        """Decides so many commands or a few more; fails at the first difference."""
        compared = 0
        while compared < count:
            commands = self.lives.batch()
            self.decide(commands, self.lives.now)
            compared += len(commands)
        return compared

    def decide(self, commands: Sequence[Command], now: datetime) -> None:
        """Decides a batch; fails at the first difference."""
        stocks, identities = self._memory.load(commands, now)
        outcomes = decide(stocks, commands, Context(now, identities, OFFER_SECONDS))
        self._memory.save(stocks, now)
        for command, outcome in zip(commands, outcomes, strict=True):
            tables = self._memory.events.get(command.event_id)
            made: Made = tables.made if tables else {}
            cancelled = made.get(command.booking_id) if isinstance(command, Cancel) else None
            expected = self._reference.decide(command, now, cancelled)
            answer = answer_of(outcome, made)
            assert answer == expected, f"{command}: {answer}, expected {expected} in {commands}"
        for event_id, stock in stocks.items():
            tables = self._memory.events[event_id]
            _expect_same(stock, tables, self._reference.events[event_id], now)
            if stock.is_closed and self.lives.random.random() < 0.1:
                tables.close()

    def _bookings(self, event_id: int) -> Sequence[int]:
        """Lists live bookings of an event, or if there are none some that are over."""
        tables = self._memory.events.get(event_id)
        if tables is None:
            return ()
        return tuple(tables.live) or tuple(tables.bookings)[-3:]


def answer_of(outcome: Outcome, made: Made) -> Answer:
    """Writes an outcome as the reference does."""
    if isinstance(outcome, Booked):
        booking = outcome.booking
        held = booking.user_id, booking.seat_count, booking.price_amount_minor, booking.status
        return ("BOOKED", outcome.rev, made[booking.id], *held)
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


def _other_answer(outcome: Outcome, made: Made) -> Answer:
    if isinstance(outcome, Done):
        return ("DONE", None, outcome.changed)
    if isinstance(outcome, UnknownEvent):
        return UNKNOWN
    assert isinstance(outcome, Refusal)
    told = outcome.metadata
    rev, booking = told.get("inventory_revision"), told.get("booking_id")
    position = told.get("position")
    return (
        outcome.reason,
        int(rev) if rev else None,
        made[int(booking)] if booking else None,
        int(position) if position else None,
    )


def _expect_same(stock: Stock, tables: Tables, event: Event, now: datetime) -> None:
    """Fails unless the ledger, the columns, the holders and the line are those of the reference."""
    made = tables.made
    told = [_told(recorded, made) for recorded in stock.changes]
    assert told == event.told[len(event.told) - len(told) :]
    assert tables.state() == (
        event.rev,
        event.look_at,
        event.closed,
        event.frozen,
        event.epoch,
        event.judged,
        *event.verdict,
        event.skip_fit,
        event.state.capacity,
        event.state.status,
    )
    if not event.closed:
        assert [made[number] for number in tables.live] == list(event.live)
        assert [entry.user_id for entry in tables.line.values()] == [
            party.user for party in event.line
        ]
        tables.expect_sound()
        # Whoever joins behind those who want too much is served by the next sweep.
        kinds = [recorded.change.kind for recorded in stock.changes]
        if (
            FREEING.intersection(kinds)
            and Kind.JOINED not in kinds
            and event.objection(now, None) is None
        ):
            tables.expect_no_seat_for_the_head()


def _told(recorded: Recorded, made: Made) -> Told:
    rev, change, capacity = recorded
    booking = change.booking
    return (
        rev,
        change.kind,
        change.user_id,
        change.sold + change.held,
        change.place,
        made[booking.id] if booking else None,
        booking.expires_at if booking else None,
        capacity if booking is None and change.place is None else None,
    )
