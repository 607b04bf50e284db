import pytest

from services.kit.rpc.entity_tags import matches


@pytest.mark.parametrize(
    ("if_none_match", "is_match"),
    [
        ('"7-3"', True),
        ('W/"7-3"', True),
        ('"7-2", "7-3"', True),
        (" * ", True),
        ("", False),
        ("7-3", False),
        ('"7-3', False),
        ('"7"', False),
        ('"a", 7-3, "b"', False),
    ],
)
def test_a_tag_matches_those_that_the_header_names(if_none_match: str, is_match: bool) -> None:
    """A client could be told to keep what has changed, or be sent what it has."""
    assert matches("7-3", if_none_match) == is_match
