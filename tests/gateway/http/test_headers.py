"""Headers that mean something."""

import pytest

from gateway.http.headers import accepts, accepts_gzip, etag_matches, field_value


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
    """A client would get a type that it has excluded."""
    assert accepts(accept.encode(), b"application/json") == is_accepted


@pytest.mark.parametrize(
    ("accept", "is_accepted"),
    [("image/png", True), ("image/*", True), ("text/html", False), ("imagery/png", False)],
)
def test_a_route_that_chooses_among_types_is_covered_by_each(
    accept: str, is_accepted: bool
) -> None:
    """A client that wants PNG alone would be refused by a route that can answer with it."""
    assert accepts(accept.encode(), b"image/*") == is_accepted


@pytest.mark.parametrize(
    ("accept_encoding", "is_accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("GZIP;Q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1, *;q=0.1", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=nonsense", False),
        ("identity, gzip;q=0.5", False),
        ("identity", False),
    ],
)
def test_gzip_is_for_those_who_accept_and_do_not_avoid_it(
    accept_encoding: str, is_accepted: bool
) -> None:
    """A client that cannot unpack an answer, or would rather not, reads nothing of it."""
    assert accepts_gzip(accept_encoding.encode()) == is_accepted


@pytest.mark.parametrize(
    ("if_none_match", "is_known"),
    [
        ('"16"', True),
        ('W/"16"', True),
        ('"15", W/"16"', True),
        ('"15","16-gzip"', True),
        ("*", True),
        (" * ", True),
        ('"15"', False),
        ("16", False),
        ('"1", "6"', False),
        ("", False),
    ],
)
def test_an_etag_is_compared_weakly(if_none_match: str, is_known: bool) -> None:
    """As RFC 9110 has it for reads: a proxy that made a tag weak does not make the answer new."""
    assert etag_matches(b'"16"', if_none_match.encode()) == is_known


def test_the_etag_of_a_compressed_answer_names_its_version() -> None:
    """Whoever got an event compressed could not change it otherwise: 412 for ever."""
    assert field_value("If-Match", b'"15-gzip", "16-gzip"') == '"15", "16"'
    assert field_value("If-Match", b'W/"16-gzip"') == 'W/"16"'
