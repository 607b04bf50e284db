"""Responses as bytes."""

import re

import pytest

from gateway.http.messages import Response
from gateway.http.server.serialization import serialize

RESPONSE = Response(201, ((b"location", b"/here"),), b"{}")


def test_an_answer_is_sent_whole() -> None:
    """A client would lack the length, the date or the id of its request."""
    sent = serialize(RESPONSE, "mine", closes=False)
    assert re.fullmatch(
        rb"HTTP/1.1 201 Created\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"
        rb"x-content-type-options: nosniff\r\nlocation: /here\r\ncontent-length: 2\r\n"
        rb"x-request-id: mine\r\n\r\n\{\}",
        sent,
    )


def test_head_is_told_the_length_of_what_it_does_not_get() -> None:
    """A client would take the document for empty."""
    sent = serialize(RESPONSE, "mine", has_body=False, closes=True)
    assert sent.endswith(
        b"content-length: 2\r\nx-request-id: mine\r\nconnection: close\r\n\r\n",
    )


@pytest.mark.parametrize("status", [204, 304])
def test_where_there_is_no_body_there_is_no_length(status: int) -> None:
    """RFC 9110 forbids one with 204, and with 304 it would be that of what is not sent."""
    sent = serialize(Response(status, (), b""), "mine", closes=False)
    assert b"content-length" not in sent
    assert sent.endswith(b"x-request-id: mine\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\nb", b"a\r\nset-cookie: b", b"a\r"])
def test_a_header_cannot_become_two(value: bytes) -> None:
    """Text of a client could end a header and begin another."""
    with pytest.raises(ValueError, match="line's end"):
        serialize(RESPONSE._replace(headers=((b"location", value),)), "mine", closes=False)
