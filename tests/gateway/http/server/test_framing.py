"""Splitting bytes into requests, wherever the network splits them."""

import itertools

import pytest

from gateway.http.server.framing import RequestSplitter

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ODD = b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n"
READ_AS = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"


def cut(*received: bytes) -> list[bytes]:
    """Splits heads without bodies, and joins those that came in several pieces."""
    splitter, whole = RequestSplitter(), [b""]
    for data in received:
        for piece in splitter.split(data):
            whole[-1] += piece
            splitter.is_between = whole[-1].endswith(b"\r\n\r\n")
            if splitter.is_between:
                whole.append(b"")
    assert not splitter.has_begun
    return whole[:-1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_requests_are_cut_apart_wherever_the_network_cuts_them(count: int) -> None:
    """An unknown method behind another request would get 400 instead of 405."""
    sent = HEAD + ODD + b"\r\n" + HEAD + ODD
    for cuts in itertools.combinations(range(len(sent) + 1), count):
        ends = (*cuts, len(sent))
        received = [sent[start:end] for start, end in zip((0, *cuts), ends, strict=True)]
        assert b"".join(cut(*received)) == HEAD + READ_AS + HEAD.join((b"", READ_AS))


def test_a_body_of_known_length_is_left_alone() -> None:
    """Content that looks like a request would be changed."""
    splitter = RequestSplitter()
    [head] = splitter.split(HEAD)
    assert head == HEAD
    splitter.is_between, splitter.body_left = False, len(ODD)
    assert list(splitter.split(ODD[:9])) == [ODD[:9]]
    [rest] = splitter.split(ODD[9:])
    assert (rest, splitter.body_left) == (ODD[9:], 0)


def test_the_method_that_was_replaced_is_known() -> None:
    """Logs and metrics would name the method that it was replaced by."""
    splitter = RequestSplitter()
    assert b"".join(splitter.split(b"FO")) == b""
    assert splitter.has_begun
    assert b"".join(splitter.split(b"O / ")) == b"TRACE / "
    assert (splitter.has_begun, splitter.method) == (False, b"FOO")
