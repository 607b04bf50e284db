"""Where requests begin, however their bytes are cut."""

import itertools

import pytest

from gateway.http.server.framing import Pieces

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ODD = b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n"
READ_AS = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"


def cut(*received: bytes) -> list[bytes]:
    """Cuts heads without bodies, and puts those together that came in several pieces."""
    pieces, whole = Pieces(), [b""]
    for data in received:
        for piece in pieces.cut(data):
            whole[-1] += piece
            pieces.is_between = whole[-1].endswith(b"\r\n\r\n")
            if pieces.is_between:
                whole.append(b"")
    assert not pieces.has_begun
    return whole[:-1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_requests_are_cut_apart_wherever_the_network_cuts_them(count: int) -> None:
    """Else a method behind another request would be the parser's to refuse."""
    sent = HEAD + ODD + b"\r\n" + HEAD + ODD
    for cuts in itertools.combinations(range(len(sent) + 1), count):
        ends = (*cuts, len(sent))
        received = [sent[start:end] for start, end in zip((0, *cuts), ends, strict=True)]
        assert b"".join(cut(*received)) == HEAD + READ_AS + HEAD.join((b"", READ_AS))


def test_a_body_of_known_length_is_left_alone() -> None:
    """What looks like a request in it is none."""
    pieces = Pieces()
    [head] = pieces.cut(HEAD)
    assert head == HEAD
    pieces.is_between, pieces.body_left = False, len(ODD)
    assert list(pieces.cut(ODD[:9])) == [ODD[:9]]
    [rest] = pieces.cut(ODD[9:])
    assert (rest, pieces.body_left) == (ODD[9:], 0)


def test_the_method_that_was_replaced_is_known() -> None:
    """It is told in logs and to clients, and not what it was replaced by."""
    pieces = Pieces()
    assert b"".join(pieces.cut(b"FO")) == b""
    assert pieces.has_begun
    assert b"".join(pieces.cut(b"O / ")) == b"TRACE / "
    assert (pieces.has_begun, pieces.method) == (False, b"FOO")
