"""Blocking seats: the organizer takes them off sale."""

from services.bookings.errors import (
    EventNotBookable,
    ScreeningNotFound,
    SeatNotFound,
    Shortage,
)
from services.bookings.inventory.changes import Change, Kind
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.reserving import Context, is_hidden
from services.bookings.inventory.seat_commands import BlockSeats, SeatsBlocked
from services.bookings.inventory.seats import free_map
from services.bookings.inventory.shortages import reasons, unavailable
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import promote
from services.bookings.seating.plan import map_of, seats_of

NAMED_SEATS = 100
"""How many seats a refusal names at most: its details travel in headers, whose size is limited."""


def block_seats(stock: Stock, command: BlockSeats, context: Context) -> Outcome:
    """Blocks exactly the named seats. Seats that are unblocked go to the waiting list first."""
    plan = stock.plan
    if plan is None or is_hidden(stock, command.viewer):
        return ScreeningNotFound()
    if stock.is_closed:
        return EventNotBookable(inventory_revision=stock.rev)
    if unknown := sorted(seat_id for seat_id in command.seat_ids if seat_id > plan.seat_count):
        return SeatNotFound(unknown[:NAMED_SEATS], inventory_revision=stock.rev)
    wanted, blocked = map_of(command.seat_ids), stock.seats.blocked
    if taken := seats_of(wanted & ~blocked & stock.seats.taken):
        named = reasons(stock, taken[:NAMED_SEATS])
        return unavailable(stock, Shortage(named, left=free_map(stock).bit_count()))
    unblock(stock, seats_of(blocked & ~wanted))
    if added := seats_of(wanted & ~blocked):
        stock.record(Change(Kind.BLOCKED, blocked=len(added), seat_ids=added))
        stock.state_changed = True
    rev = stock.rev
    promote(stock, context)
    return SeatsBlocked(seats_of(wanted), rev)


def unblock(stock: Stock, seat_ids: list[int]) -> None:
    """Puts blocked seats on sale again."""
    if seat_ids:
        stock.record(Change(Kind.UNBLOCKED, blocked=-len(seat_ids), seat_ids=seat_ids))
        stock.state_changed = True
