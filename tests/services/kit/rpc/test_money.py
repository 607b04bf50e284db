"""Money in messages."""

import pytest

from boxoffice.bookings.v1.bookings_pb2 import Booking
from services.kit.rpc.money import money


def test_a_price_of_zero_is_set() -> None:
    """A free event could look like one whose price is not known."""
    booking = Booking(price=money(0, "EUR"))
    assert booking.HasField("price")
    assert (booking.price.amount_minor, booking.price.currency) == (0, "EUR")


@pytest.mark.parametrize(("amount", "currency"), [(None, None), (1, None), (None, "EUR")])
def test_without_amount_or_currency_there_is_no_money(
    amount: int | None, currency: str | None
) -> None:
    """An amount without a currency could be shown as a price."""
    assert not Booking(price=money(amount, currency)).HasField("price")
