import pytest

from services.bookings.payments.card_numbers import expect_none, is_card_number
from services.kit.rpc.errors import ValidationFailed


@pytest.mark.parametrize(
    "text",
    ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"],
)
def test_the_number_of_a_card_is_refused(text: str) -> None:
    """A number could be kept in the database, or reach a log."""
    with pytest.raises(ValidationFailed) as refusal:
        expect_none({"token": text, "method": "card"})
    assert [violation.path for violation in refusal.value.violations] == ["token"]
    assert "4111" not in str(refusal.value.violations)


@pytest.mark.parametrize(
    "text",
    [
        "tok_ok",
        "4111111111111112",
        "1764416000004",
        "card",
        "",
        "7d444840-9dc0-41d1-b245-5ffdce74fad2",
    ],
)
def test_what_is_no_number_of_a_card_is_accepted(text: str) -> None:
    """Tokens, times and keys of clients could be taken for numbers of cards."""
    assert not is_card_number(text)
