"""Headers that mean something."""

import pytest

from gateway.headers import accepts


@pytest.mark.parametrize(
    ("accept", "is_accepted"),
    [
        ("*/*", True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/*", True),
        ("text/html, */*;q=0.1", True),
        ("text/html;q=1, application/json;q=0.001", True),
        ("*", True),
        ("", True),
        ("text/html", False),
        ("application/xml, text/*", False),
        ("application/json;q=0", False),
        ("*/*, application/json;q=0", False),
        ("application/*;q=0, */*", False),
        ("*/*;q=0", False),
        ("*/*;q=nonsense", False),
    ],
)
def test_the_most_specific_range_decides(accept: str, is_accepted: bool) -> None:
    """As RFC 9110 has it."""
    assert accepts(accept.encode(), b"application/json") == is_accepted
