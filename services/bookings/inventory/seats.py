"""Choosing and pricing the assigned seats of an event with a plan."""

from collections.abc import Sequence

from services.bookings.errors import Contradiction
from services.bookings.inventory.stock import Stock
from services.bookings.seating.choosing import Wish, choose


def free_map(stock: Stock) -> int:
    """Returns the map of the free seats of an event: neither held, sold nor blocked."""
    return 0 if stock.plan is None else stock.plan.every_seat & ~stock.seats.taken


def best_seats(stock: Stock, count: int) -> Sequence[int]:
    """Chooses seats when enough are free: next to each other if possible.

    Returns none for an event without assigned seats. Raises Contradiction if fewer seats are free
    than the counters say.
    """
    if stock.plan is None:
        return ()
    found = choose(stock.plan, free_map(stock), Wish(count, adjacent=False))
    if found is None:
        raise Contradiction(f"event {stock.event_id} has fewer free seats than it counts")
    return tuple(found)


def total_price(stock: Stock, seat_count: int, seat_ids: Sequence[int] = ()) -> int | None:
    """Computes the price of seats in minor units; None for an event without a price.

    A type of assigned seats may have a price of its own.
    """
    each = stock.price_amount_minor
    if each is None:
        return None
    prices = stock.seat_type_prices
    if stock.plan is None or not prices:
        return each * seat_count
    return sum(prices.get(stock.plan.type_of(seat_id), each) for seat_id in seat_ids)
