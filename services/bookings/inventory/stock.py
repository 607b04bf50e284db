"""One inventory as it was loaded under its lock, and as decisions change it.

Each decision is recorded as a `Change`. Counters, the revision, bookings, the waiting list and all
saved rows follow from the changes.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from services.bookings.inventory.changes import (
    Booking,
    Change,
    Entry,
    Kind,
    Payment,
    Recorded,
    Refund,
    Ticket,
)
from services.bookings.inventory.counters import Counters, Past
from services.bookings.inventory.queue_commands import Admission, QueueSettings
from services.bookings.inventory.records import Records
from services.bookings.inventory.seat_map import SeatMap
from services.bookings.seating.alternatives import Alternatives
from services.bookings.seating.plan import Plan


@dataclass(slots=True)
class Stock:
    """An event's row of the inventory, with the loaded bookings and entries."""

    event_id: int
    capacity: int
    name: str
    status: str
    epoch: str
    catalogue_rev: int
    verdict: str
    sold: int = 0
    held: int = 0
    blocked: int = 0
    live_bookings: int = 0
    waiting: int = 0
    last_place: int = 0
    rev: int = 0
    next_expiry_at: datetime | None = None
    closed_at: datetime | None = None
    closing: bool = False
    frozen: str = ""
    refusal: str = ""
    cancelled_bookings: int = 0
    skip_fit_after_seconds: int | None = None
    key: str | None = None
    organizer_id: str | None = None
    deleted: bool = False
    starts_at: datetime | None = None
    sales_open_at: datetime | None = None
    sales_close_at: datetime | None = None
    price_amount_minor: int | None = None
    price_currency: str | None = None
    one_booking_per_user: bool | None = None
    plan_id: int | None = None
    seat_type_prices: Mapping[str, int] = field(default_factory=dict)
    orphan_rule: bool = False
    refund_until: datetime | None = None
    queue_since: datetime | None = None

    # Further rows, if the commands need them.
    bookings: dict[int, Booking] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    pasts: dict[str, Past] = field(default_factory=dict)
    tickets: dict[int, Ticket] = field(default_factory=dict)
    """Tickets by their bookings."""
    uses: dict[int, datetime | None] = field(default_factory=dict)
    """When a ticket was used first, by its booking; only of tickets that are locked."""
    payments: Records[Payment] = field(default_factory=Records)
    refunds: Records[Refund] = field(default_factory=Records)
    has_more_payments: bool = False
    """Whether more payments of a closed event are to be given back than were loaded."""
    admissions: dict[str, Admission] = field(default_factory=dict)
    """Those whom the event's queue has admitted, by user."""
    was_booked: bool = False
    line: list[Entry] = field(default_factory=list)
    """Entries that want no more seats than the event has, by place: all, or the first ones."""
    line_is_whole: bool = True
    """Whether `line` has every entry that can be served before a new one."""
    expires_next_at: datetime | None = None
    """When the first hold ends among those that have not ended yet."""
    more_have_ended: bool = False
    """Whether more holds have ended than were loaded; the next transaction expires those."""
    plan: Plan | None = None
    seats: SeatMap = field(default_factory=SeatMap)
    suggested: dict[tuple[int, ...], tuple[int, Alternatives]] = field(default_factory=dict)
    """Alternatives for seats asked for, each with the revision at which it was found."""

    # Results of decisions.
    changes: list[Recorded] = field(default_factory=list)
    blocking: list[int] = field(default_factory=list)
    """Places of entries that are first from now on and want more seats than are free."""
    provider_events: list[tuple[str, str, UUID]] = field(default_factory=list)
    """Events of providers that were worked on: provider, id and payment."""
    refunds_written: bool = False
    """Whether the refunds of all payments are written from now on; the event is closed."""
    queue_settings: QueueSettings | None = None
    """New settings of the event's queue."""
    is_new: bool = False
    is_replanned: bool = False
    """Whether the event got another plan."""
    state_changed: bool = False
    """Whether columns other than the counters changed."""
    before: Counters = field(init=False)
    _live_of: dict[str, list[int]] = field(default_factory=dict)
    _ended_of: dict[str, set[int]] = field(default_factory=dict)
    """Holds that ended unconfirmed, by user, of the loaded bookings."""
    left_places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = self.counters
        self.line_is_whole = self.waiting == 0

    @property
    def counters(self) -> Counters:
        """The columns that follow from changes."""
        return Counters(
            self.sold,
            self.held,
            self.blocked,
            self.live_bookings,
            self.waiting,
            self.last_place,
            self.rev,
            self.next_expiry_at,
        )

    @property
    def is_closed(self) -> bool:
        """Whether the event is closed for good: its bookings read as CANCELLED."""
        return self.closed_at is not None

    @property
    def free(self) -> int:
        """The number of seats that are on sale and not booked."""
        return self.seats_on_sale - self.sold - self.held

    @property
    def seats_on_sale(self) -> int:
        """The number of seats that are on sale, booked or not."""
        return self.capacity - self.blocked

    @property
    def is_priced(self) -> bool:
        """Whether any of its seats may have a price."""
        if self.price_amount_minor is None:
            return False
        return self.price_amount_minor > 0 or any(self.seat_type_prices.values())

    @property
    def is_changed(self) -> bool:
        """Whether anything has to be saved."""
        return bool(
            self.changes
            or self.blocking
            or self.state_changed
            or self.next_expiry_at != self.before.next_expiry_at
            or self.has_money
        )

    @property
    def has_money(self) -> bool:
        """Whether anything about payments has to be saved."""
        return bool(
            self.provider_events
            or self.refunds_written
            or self.payments.is_changed
            or self.refunds.is_changed
        )

    def add(self, booking: Booking) -> None:
        """Adds a loaded or changed booking."""
        known = self.bookings.get(booking.id)
        self.bookings[booking.id] = booking
        if booking.is_live and (known is None or not known.is_live):
            self._live_of.setdefault(booking.user_id, []).append(booking.id)
        elif not booking.is_live and known is not None and known.is_live:
            self._live_of[booking.user_id].remove(booking.id)
        if booking.seat_ids:
            self.seats.set_holder(booking.id, booking.seat_ids, is_live=booking.is_live)
        if not booking.is_live and booking.expires_at is not None:
            self._ended_of.setdefault(booking.user_id, set()).add(booking.id)

    def live_of(self, user_id: str) -> Sequence[Booking]:
        """Lists the live bookings of a user, of those that were loaded."""
        numbers = self._live_of.get(user_id)
        return [self.bookings[number] for number in numbers] if numbers else ()

    def exclusive_of(self, user_id: str) -> Booking | None:
        """Returns the user's live exclusive booking."""
        for booking in self.live_of(user_id):
            if booking.exclusive:
                return booking
        return None

    def ended_since(self, user_id: str, since: datetime) -> list[datetime]:
        """Lists when the user's holds ended unconfirmed, the last one first, back to a time."""
        ended = (self.bookings[number] for number in self._ended_of.get(user_id, ()))
        ends = (booking.cancelled_at or booking.expires_at for booking in ended)
        return sorted((end for end in ends if end is not None and end > since), reverse=True)

    def past_of(self, user_id: str) -> Past:
        """Returns what a user ever had of the event, including earlier commands of this batch."""
        past = self.pasts.get(user_id, Past(False, False, False))
        for _, change, _ in self.changes:
            if change.user_id == user_id:
                booking = change.booking
                past = Past(
                    past.any_booking or booking is not None,
                    past.exclusive_booking or (booking is not None and booking.exclusive),
                    past.entry or change.place is not None,
                )
        return past

    def position(self, entry: Entry) -> int:
        """Returns the current position of a waiting entry, from 1."""
        if entry.position is None:
            raise ValueError(f"entry {entry.place} was loaded without its position")
        return entry.position - bisect_left(self.left_places, entry.place)

    def record(self, change: Change) -> None:
        """Records a change under the next revision, and adds it to the counters."""
        self.rev += 1
        self.sold += change.sold
        self.held += change.held
        self.blocked += change.blocked
        self.live_bookings += change.live
        self.waiting += change.waiting
        if change.booking is not None:
            if change.booking.seat_ids:
                self._seat(change.booking)
            self.add(change.booking)
            self.was_booked = True
            if change.booking.status == "CONFIRMED":
                self.admissions.pop(change.booking.user_id, None)
        if change.ticket is not None:
            self.tickets[change.ticket.booking_id] = change.ticket
        if change.payment is not None:
            self.payments.put(change.payment)
        if change.kind is Kind.BLOCKED:
            self.seats.block(change.seat_ids)
        elif change.kind is Kind.UNBLOCKED:
            self.seats.unblock(change.seat_ids)
        if change.joined is not None:
            self._join(change.joined)
        elif change.waiting and change.place is not None and change.user_id is not None:
            self._leave(change.place, change.user_id)
        self.changes.append(Recorded(self.rev, change, self.capacity))

    def _seat(self, booking: Booking) -> None:
        """Takes, sells or frees the seats of a booking in the map."""
        known = self.bookings.get(booking.id)
        if not booking.is_live:
            self.seats.free(booking.id, booking.seat_ids)
        elif known is not None and known.is_live:
            self.seats.sell(booking.seat_ids, is_sold=booking.status == "CONFIRMED")
        else:
            self.seats.take(booking.id, booking.seat_ids, is_sold=booking.status == "CONFIRMED")

    def _join(self, entry: Entry) -> None:
        self.last_place = entry.place
        self.entries[entry.user_id] = entry
        if self.line_is_whole:
            self.line.append(entry)

    def _leave(self, place: int, user_id: str) -> None:
        self.entries.pop(user_id, None)
        index = bisect_left(self.line, place, key=attrgetter("place"))
        if index < len(self.line) and self.line[index].place == place:
            del self.line[index]
        insort(self.left_places, place)
