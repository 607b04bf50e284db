"""Money in messages and in print."""

import pytest

from boxoffice.bookings.v1.bookings_pb2 import Booking
from services.kit.rpc.money import in_words, money


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


@pytest.mark.parametrize(
    ("amount", "currency", "printed"),
    [
        (1_205, "EUR", "EUR 12.05"),
        (1_800, "JPY", "JPY 1800"),
        (12_500, "KWD", "KWD 12.500"),
        (10**12, "XYZ", "XYZ 10000000000.00"),
        (0, "EUR", ""),
        (None, None, ""),
    ],
)
def test_a_price_is_printed_in_the_unit_of_its_currency(
    amount: int | None, currency: str | None, printed: str
) -> None:
    """A visitor from Tokyo could think to have paid a hundredth."""
    assert in_words(amount, currency) == printed
