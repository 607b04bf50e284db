"""Refusals of assigned seats: the reason, when seats are free again, and alternatives."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.bookings.errors import Contradiction, SeatsUnavailable, Shortage
from services.bookings.inventory.seat_commands import Hold
from services.bookings.inventory.seats import free_map
from services.bookings.inventory.stock import Stock
from services.bookings.seating.alternatives import Alternatives, alternatives, orphaned
from services.bookings.seating.choosing import Wish, choose
from services.bookings.seating.plan import Plan, map_of
from services.bookings.seating.prices import Prices


def unavailable(stock: Stock, shortage: Shortage) -> SeatsUnavailable:
    """Makes the refusal of seats that cannot be held."""
    prices = Prices(stock.price_amount_minor, stock.price_currency, stock.seat_type_prices)
    return SeatsUnavailable(shortage, stock.plan, prices, inventory_revision=stock.rev)


def shortage_of_named(stock: Stock, command: Hold, taken: Sequence[int]) -> Shortage:
    """Explains why named seats cannot be held, and suggests others."""
    found = _alternatives(stock, command) if command.suggests_alternatives else Alternatives()
    return Shortage(
        reasons(stock, taken),
        _free_again_at(stock, taken),
        left=free_map(stock).bit_count(),
        alternatives=found.seats,
        groups=found.groups,
    )


def shortage_of_best(plan: Plan, free: int, wish: Wish, *, suggests: bool) -> Shortage:
    """Explains that no free seats match a wish, and suggests seats that are not adjacent."""
    apart = Wish(wish.count, wish.type, wish.section, adjacent=False, accessible=wish.accessible)
    found = choose(plan, free, apart) if suggests else None
    return Shortage(left=free.bit_count(), alternatives=found or ())


def stranding(plan: Plan, free: int, seat_ids: Sequence[int]) -> Shortage | None:
    """Explains that a choice would leave a single seat free although the run has better seats."""
    stranded = orphaned(plan, free, seat_ids)
    if stranded is None:
        return None
    return Shortage(
        dict.fromkeys(seat_ids, "orphan"),
        orphans=stranded.orphans,
        left=free.bit_count(),
        alternatives=stranded.better,
        groups=[stranded.better] if len(seat_ids) > 1 else (),
    )


def reasons(stock: Stock, taken: Iterable[int]) -> dict[int, str]:
    """Returns for each taken seat whether it is held, sold or blocked."""
    return {seat_id: _reason(stock, seat_id) for seat_id in taken}


def _reason(stock: Stock, seat_id: int) -> str:
    bit, seats = 1 << (seat_id - 1), stock.seats
    if seats.blocked & bit:
        return "blocked"
    return "sold" if seats.sold & bit else "held"


def _free_again_at(stock: Stock, taken: Sequence[int]) -> datetime | None:
    """Returns when the last hold of the taken seats ends; None if any is sold or blocked."""
    seats = stock.seats
    if map_of(taken) & (seats.sold | seats.blocked):
        return None
    try:
        holds = [stock.bookings[seats.holders[seat_id]] for seat_id in taken]
    except KeyError as error:
        raise Contradiction(f"a seat of event {stock.event_id} is held by nobody") from error
    return max((hold.expires_at for hold in holds if hold.expires_at), default=None)


def _alternatives(stock: Stock, command: Hold) -> Alternatives:
    """Finds alternatives; reuses those found for the same seats at the same revision."""
    if stock.plan is None:
        return Alternatives()
    question = tuple(command.seat_ids)
    known = stock.suggested.get(question)
    if known is None or known[0] != stock.rev:
        asked = sorted(command.seat_ids)
        found = alternatives(stock.plan, free_map(stock), asked, len(asked))
        known = stock.suggested[question] = (stock.rev, found)
    return known[1]
