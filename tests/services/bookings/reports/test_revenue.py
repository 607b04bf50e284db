from hypothesis import given
from hypothesis import strategies as st

from services.bookings.reports.revenue import Revenue
from services.bookings.reports.seat_types import priced_by_type, type_numbers
from services.bookings.seating.plan import Area
from services.bookings.seating.prices import Prices
from tests.services.bookings.rooms import hall

AMOUNT = st.integers(0, 10**12)
WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=20)


@given(AMOUNT, AMOUNT, AMOUNT, WEIGHTS)
def test_no_cent_is_lost_when_revenue_is_divided(
    refunded: int, due: int, net: int, weights: list[int]
) -> None:
    """The revenue by type of seat would not add up to the revenue."""
    whole = Revenue("EUR", 1, refunded, due, net)
    parts = whole.divided(weights)
    for name in ("refunded", "refund_due", "net", "gross"):
        amounts = [getattr(part, name) for part in parts]
        assert min(amounts) >= 0
        assert sum(amounts) == getattr(whole, name)


def test_each_seat_has_the_revenue_of_its_price() -> None:
    """Revenue would be divided by the number of seats, or go to another type."""
    plan = hall(2, 4, types=["REGULAR", "VIP", "VIP", "REGULAR"], areas=[Area("Floor", 3, "VIP")])
    assert type_numbers(plan) == bytes([0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1])
    prices = Prices(900, "EUR", {"VIP": 1800})
    paid = [((0, 1), Revenue("EUR", 1, 0, 0, 2700)), ((1,), Revenue("EUR", 1, 1800, 0, 0))]
    regular, vip = priced_by_type(plan, prices, 0b111, paid)
    assert (regular.seat_type, regular.total, regular.sold) == ("REGULAR", 4, 1)
    assert (vip.seat_type, vip.total, vip.sold) == ("VIP", 7, 2)
    assert [(one.gross, one.net) for one in regular.revenue] == [(900, 900)]
    assert [(one.gross, one.net) for one in vip.revenue] == [(3600, 1800)]
