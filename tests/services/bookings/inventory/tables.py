"""The rows of one event in memory, saved as the database would save them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from services.bookings.inventory.changes import (
    Booking,
    Entry,
    Payment,
    Recorded,
    Refund,
    Ticket,
)
from services.bookings.inventory.seat_map import BLOCK_BYTES, BLOCKED, Block, SeatMap
from services.bookings.inventory.stock import Stock
from services.bookings.seating.plan import map_of

_NAMES = tuple(field.name for field in fields(Stock))
COLUMNS = _NAMES[: _NAMES.index("bookings")]
columns_of = attrgetter(*COLUMNS)
_FIRST, _LAST = COLUMNS.index("sold"), COLUMNS.index("next_expiry_at") + 1


@dataclass(slots=True)
class Tables:
    """The rows of one event."""

    inventory: tuple[Any, ...]
    bookings: dict[int, Booking] = field(default_factory=dict)
    live: dict[int, Booking] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)
    line: dict[int, Entry] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    waited: set[str] = field(default_factory=set)
    had: dict[str, bool] = field(default_factory=dict)
    """Users who ever booked, and whether any of their bookings was exclusive."""
    made: dict[int, int] = field(default_factory=dict)
    """The revisions that made the bookings, by booking number."""
    ledger_length: int = 0
    tickets: dict[int, Ticket] = field(default_factory=dict)
    claims: dict[int, int] = field(default_factory=dict)
    blocks: dict[int, Block] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)

    def loaded(self, booking: Booking) -> Booking:
        """Returns a booking as it is loaded: with a payment that is under way."""
        is_paying = booking.status == "HELD" and any(
            each.booking_id == booking.id and each.status == "CREATED"
            for each in self.payments.values()
        )
        return replace(booking, is_paying=is_paying)

    def has_ended(self, booking: Booking, now: datetime) -> bool:
        """Returns whether a hold is over by the clock, and no payment of it is under way."""
        is_over = booking.expires_at is not None and booking.expires_at <= now
        return is_over and not self.loaded(booking).is_paying

    def save(self, stock: Stock, now: datetime) -> None:
        """Saves the changes of a stock."""
        if not stock.is_changed:
            assert not stock.changes
            return
        if stock.state_changed:
            self.inventory = columns_of(stock)
        else:
            old = self.inventory
            self.inventory = (*old[:_FIRST], *stock.counters, *old[_LAST:])
        for recorded in stock.changes:
            self._save(recorded)
        self._save_seats(stock)
        self._save_payments(stock)
        for place in stock.blocking:
            if entry := self.line.get(place):
                self.line[place] = replace(entry, blocked_since=entry.blocked_since or now)

    def _save(self, recorded: Recorded) -> None:
        rev, change, _ = recorded
        self.ledger_length += 1
        assert rev == self.ledger_length, "the ledger has gaps"
        booking, user = change.booking, change.user_id or ""
        if booking is not None:
            self._save_booking(booking, rev)
        if change.ticket is not None:
            self._save_ticket(change.ticket)
        if change.joined is not None:
            self.line[change.joined.place] = change.joined
            self.waiting[user] = change.joined.place
            self.waited.add(user)
        elif change.waiting and change.place is not None:
            del self.line[change.place]
            del self.waiting[user]
        if change.place is not None:
            self._save_offer(user, change.state, booking)

    def _save_seats(self, stock: Stock) -> None:
        """Takes and frees claims; fails unless the maps count the same changes."""
        if stock.is_replanned:
            self.claims, self.blocks = {}, {}
            if stock.plan_id is not None:
                nobody = bytes(BLOCK_BYTES)
                self.blocks[0] = Block(0, nobody, nobody, nobody, 0, 0)
        claims = stock.seats.claims()
        for seat_id, before, after in claims:
            assert self.claims.pop(seat_id, None) == before, "somebody else has the seat"
            if after is not None:
                self.claims[seat_id] = after
        for block in stock.seats.blocks(claims):
            self.blocks[block.number] = block

    def _save_payments(self, stock: Stock) -> None:
        for payment in stock.payments.new():
            assert payment.id not in self.payments, "two payments with one id"
            self.payments[payment.id] = payment
        for before, payment in stock.payments.moved():
            assert self.payments[payment.id] == before
            self.payments[payment.id] = payment
        for refund in stock.refunds.new():
            assert refund.id not in self.refunds, "paid back twice"
            self.refunds[refund.id] = refund
        for refund_before, refund in stock.refunds.moved():
            assert self.refunds[refund.id] == refund_before
            self.refunds[refund.id] = refund

    def _save_ticket(self, ticket: Ticket) -> None:
        known = self.tickets.get(ticket.booking_id)
        assert known is None or known.id == ticket.id, "two tickets of one booking"
        self.tickets[ticket.booking_id] = ticket

    def _save_booking(self, booking: Booking, rev: int) -> None:
        if booking.id not in self.bookings:
            self.made[booking.id] = rev
            self.had[booking.user_id] = booking.exclusive or self.had.get(booking.user_id, False)
        self.bookings[booking.id] = booking
        if booking.is_live:
            self.live[booking.id] = booking
        else:
            del self.live[booking.id]

    def _save_offer(self, user: str, state: str, booking: Booking | None) -> None:
        is_offered = state == "OFFERED"
        if is_offered and booking is not None:
            self.offered[user] = booking.id
        else:
            self.offered.pop(user, None)
        assert is_offered == (booking is not None and booking.place is not None)

    def close(self) -> None:
        """Ends all bookings and entries of a closed event."""
        for booking in self.live.values():
            self.bookings[booking.id] = replace(booking, status="CANCELLED", place=None)
        for rows in (self.live, self.offered, self.line, self.waiting):
            rows.clear()

    def state(self) -> tuple[object, ...]:
        """Returns the columns that do not follow from other rows."""
        stock = Stock(*self.inventory)
        return (
            stock.rev,
            stock.next_expiry_at,
            stock.is_closed,
            stock.frozen,
            stock.epoch,
            stock.catalogue_rev,
            str(stock.verdict),
            stock.refusal,
            stock.cancelled_bookings,
            stock.skip_fit_after_seconds,
            stock.capacity,
            stock.status,
        )

    def expect_sound(self) -> None:
        """Fails if the rows of an open event contradict each other."""
        stock = Stock(*self.inventory)
        sold = held = 0
        exclusive: list[str] = []
        for booking in self.live.values():
            sold += booking.seat_count if booking.status == "CONFIRMED" else 0
            held += booking.seat_count if booking.status == "HELD" else 0
            if booking.exclusive:
                exclusive.append(booking.user_id)
        assert (sold, held, len(self.live)) == (stock.sold, stock.held, stock.live_bookings)
        assert stock.free >= 0, "oversold"
        assert stock.blocked == list(self.claims.values()).count(BLOCKED)
        assert len(exclusive) == len(set(exclusive)), "two live bookings of one user"
        assert len(self.line) == stock.waiting
        assert self.ledger_length == stock.rev, "the ledger has gaps"

    def expect_money(self) -> None:
        """Fails unless each payment bought a ticket or is given back, and all sums balance."""
        under_way = [each.booking_id for each in self.payments.values() if each.status == "CREATED"]
        buyers = {each.booking_id: each for each in self.payments.values() if each.left_minor}
        assert len(under_way) == len(set(under_way)), "two payments under way"
        for payment in self.payments.values():
            refunds = [each for each in self.refunds.values() if each.payment_id == payment.id]
            given = sum(each.amount_minor for each in refunds)
            back = sum(each.amount_minor for each in refunds if each.status == "REFUNDED")
            assert (given, back) == (payment.refunding_minor, payment.refunded_minor)
            assert payment.left_minor >= 0, "more was given back than was paid"
            assert not payment.left_minor or buyers[payment.booking_id] is payment, "paid twice"
        for booking in self.live.values():
            ticket = self.tickets.get(booking.id)
            if booking.id in buyers:
                assert booking.status == "CONFIRMED", "paid, and not confirmed"
                assert ticket is not None, "paid without a ticket"
                assert ticket.valid_at is not None, "paid, and the ticket is not valid"

    def expect_seats(self, live: Mapping[int, Sequence[int]], blocked: Iterable[int]) -> None:
        """Fails unless claims and maps are those of the live bookings, by making revision.

        `live` has the seats of each.
        """
        seats = {each: self.made[number] for each, number in self.claims.items() if number}
        assert seats == {seat_id: made for made, ids in live.items() for seat_id in ids}
        assert {each for each, number in self.claims.items() if not number} == set(blocked)
        stored = SeatMap()
        stored.load([block[:4] for block in self.blocks.values()], 0)
        sold = [each for booking in self.live.values() for each in self._sold(booking)]
        assert stored.taken == map_of(self.claims) if self.claims else stored.taken == 0
        assert stored.sold == map_of(sold)
        assert stored.blocked == map_of(blocked)

    def _sold(self, booking: Booking) -> Sequence[int]:
        return booking.seat_ids if booking.status == "CONFIRMED" else ()

    def expect_no_seat_for_the_head(self) -> None:
        """Fails if enough seats are free for the head of the waiting list."""
        stock = Stock(*self.inventory)
        fitting = (each for each in self.line.values() if each.seat_count <= stock.seats_on_sale)
        head = next(fitting, None)
        assert head is None or head.seat_count > stock.free, "free seats, and the head fits"
