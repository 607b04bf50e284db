"""Money in messages."""

import pytest

from boxoffice.bookings.v1.bookings_pb2 import Booking
from services.kit.rpc.money import money


def test_nothing_to_pay_is_an_amount() -> None:
    """Free of charge must not look like a price that is not known."""
    booking = Booking(price=money(0, "EUR"))
    assert booking.HasField("price")
    assert (booking.price.amount_minor, booking.price.currency) == (0, "EUR")


@pytest.mark.parametrize(("amount", "currency"), [(None, None), (1, None), (None, "EUR")])
def test_without_amount_or_currency_there_is_no_money(
    amount: int | None, currency: str | None
) -> None:
    """Half a price must not be shown as one."""
    assert not Booking(price=money(amount, currency)).HasField("price")
