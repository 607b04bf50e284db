"""HTTP as bytes: what breaks the rules is answered in our form, and the connection ends."""

import asyncio
import contextlib
import re
from dataclasses import replace

import orjson
import pytest

from gateway.http.server.connection import CONTINUE
from gateway.http.server.limits import LIMITS
from tests.e2e.raw_http import connect
from tests.gateway import messages
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.script import Script

BODY = b'{"event_id":5,"user_id":"alice"}'
HOST = b"Host: a\r\n"
POST = b"POST /api/bookings/reserve HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


BAD = {
    "not HTTP": b"hello\r\n\r\n",
    "no method": b"F(O / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method without its version": b"FOO / HTTP/3.0\r\nHost: a\r\n\r\n",
    "an unknown method for no host": b"FOO /health HTTP/1.1\r\n\r\n",
    "an unknown version": b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a header over two lines": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "a target that is not ASCII": "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n",
    "a bad chunk size": CHUNKED + b"zz\r\n\r\n",
    "a bad chunk end": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("sent", BAD.values(), ids=BAD)
async def test_an_ambiguous_request_ends_the_connection(
    gateway: Gateway, script: Script, sent: bytes
) -> None:
    """A proxy that read it otherwise would smuggle a request; none after it is answered."""
    async with connect(gateway.port) as connection:
        connection.send(sent + HEALTH)
        answer = await connection.answer()
        assert answer.outcome == (400, "bad_request")
        assert await connection.rest() == b""
    assert not script.asked


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("method", ["FOO", "get", "GETT", "TRACE", "X-!~"])
async def test_a_method_that_nobody_knows_is_none_that_is_allowed(
    gateway: Gateway, script: Script, method: str
) -> None:
    """A client would get 400 and lose its connection, instead of 405."""
    sent = f"{method} /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: odd\r\n".encode()
    async with connect(gateway.port) as connection:
        for rest in (b"\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n"):
            connection.send(sent + rest)
            answer = await connection.answer()
            assert answer.status == 405
            assert orjson.loads(answer.body) == {"error": "method_not_allowed"}
            assert answer.headers["allow"] == "GET, HEAD"
            assert answer.headers["x-request-id"] == "odd"
            if b"Upgrade" not in rest:
                connection.send(HEALTH)
                assert (await connection.answer()).status == 200
    async with connect(gateway.port) as connection:
        connection.send(sent + b"Content-Length: 2\r\n\r\n{}" + HEALTH)
        assert [(await connection.answer()).status for _ in range(2)] == [405, 200]


ODD = b"FOO /health HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\r\n",
        HEALTH,
        POST + b"Content-Length: 7\r\n\r\nFOO / H",
        CHUNKED + b"c\r\n\r\n\r\nFOO / HT\r\n0\r\n\r\n",
        CHUNKED + b"1\r\n{\r\n0\r\nX: y\r\n\r\n",
        ODD,
    ],
    ids=["first", "blank", "behind GET", "body", "chunks", "trailers", "behind another"],
)
async def test_an_unknown_method_is_found_wherever_its_request_begins(
    gateway: Gateway, script: Script, before: bytes
) -> None:
    """It would depend on how the network cuts the bytes whether a client gets 405."""
    sent = before + ODD + HEALTH
    expected = [] if len(before) < 3 else [None]
    cuts = [sent[:at] for at in range(len(sent))] if len(before) < 3 else [sent[:-1], before, b""]
    for cut in cuts:
        async with connect(gateway.port) as connection:
            connection.send(cut)
            await asyncio.sleep(0)
            connection.send(sent[len(cut) :])
            for _ in expected:
                await connection.answer()
            refusal = await connection.answer()
            assert (refusal.status, refusal.headers["allow"]) == (405, "GET, HEAD")
            assert (await connection.answer()).status == 200


TOO_LARGE = {
    "a long target": (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "an endless target": (b"GET /" + b"a" * 20_000, 414),
    "a long header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 16_384 + b"\r\n\r\n", 431),
    "an endless header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 30_000, 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
    "a long body": (POST + b"Content-Length: 65537\r\n\r\n", 413),
    "long chunks": (CHUNKED + b"8000\r\n" + b"a" * 0x8000 + b"\r\n8001\r\n" + b"a" * 0x8001, 413),
    "long trailers": (CHUNKED + b"0\r\nX: " + b"a" * 16_384 + b"\r\n\r\n", 431),
}
CODES = {413: "body_too_large", 414: "uri_too_long", 431: "headers_too_large"}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("sent", "status"), TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_request_that_is_too_large_is_refused_before_it_is_kept(
    gateway: Gateway, script: Script, sent: bytes, status: int
) -> None:
    """Memory would fill, or the client see a reset instead of the reason."""
    async with connect(gateway.port) as connection:
        connection.send(sent)
        answer = await connection.answer()
        assert answer.outcome == (status, CODES[status])
        assert await connection.rest() == b""
    assert not script.asked


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\nIdempotency-Key: a b\r\n\r\n",
        POST
        + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n"
        + b"Content-Length: %d\r\n\r\n" % len(BODY)
        + BODY,
        POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    ],
    ids=["plain", "in chunks, with a trailer", "with an offer of HTTP/2", "HTTP/1.0"],
)
async def test_every_way_to_send_a_body_is_served(
    gateway: Gateway, script: Script, sent: bytes
) -> None:
    """A client that sends byte by byte, or trailers, would be refused."""
    script.answers["Reserve"] = messages.reserved
    for pieces in ([sent], [sent[i : i + 1] for i in range(len(sent))]):
        async with connect(gateway.port) as connection:
            for piece in pieces:
                connection.send(piece)
                await asyncio.sleep(0)
            assert (await connection.answer()).status == 201
    assert [asked.request.request_id for asked in script.asked] == ["", ""]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_waits_is_told_to_send_its_body(
    gateway: Gateway, script: Script
) -> None:
    """It would wait for ever, or take `100` for the answer to another request."""
    script.answers["Reserve"] = messages.reserved
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    async with connect(gateway.port) as connection:
        for first in (b"", HEALTH):
            connection.send(first + head)
            if first:
                assert (await connection.answer()).status == 200
            assert await connection.reader.readuntil(b"\r\n\r\n") == CONTINUE
            connection.send(BODY)
            assert (await connection.answer()).status == 201


@pytest.mark.asyncio(loop_scope="module")
async def test_pipelined_requests_are_answered_in_order(gateway: Gateway, script: Script) -> None:
    """A client would take one answer for another."""
    async with connect(gateway.port) as connection:
        connection.send(HEALTH * 3)
        assert [(await connection.answer()).status for _ in range(3)] == [200] * 3
        connection.send(HEALTH + b"nonsense\r\n\r\n" + HEALTH)
        assert (await connection.answer()).status == 200
        assert await connection.rest() == b""


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_closes_its_side_is_still_answered(
    gateway: Gateway, script: Script
) -> None:
    """`nc -N` and the like would get nothing."""
    async with connect(gateway.port) as connection:
        connection.send(HEALTH)
        connection.send_end()
        assert (await connection.answer()).body == b'{"status":"ok"}'
        assert await connection.rest() == b""


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refusal_has_the_clients_own_request_id(gateway: Gateway, script: Script) -> None:
    """A client could not find its refused request in the log."""
    async with connect(gateway.port) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n")
        answer = await connection.answer()
    assert answer.error == "bad_request"
    assert answer.headers["x-request-id"] == "mine"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("sent", ["a" * 129, "a b", "a;b", "é", ""])
async def test_an_id_that_is_unfit_for_logs_is_replaced(
    gateway: Gateway, script: Script, sent: str
) -> None:
    """A client could write lines of its own into the log."""
    async with connect(gateway.port) as connection:
        connection.send(HEALTH[:-2] + b"X-Request-Id: " + sent.encode() + b"\r\n\r\n")
        answer = await connection.answer()
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


SHOP = "https://shop.example"
UNROUTED = {
    "no host": b"GET / HTTP/1.1\r\nOrigin: %b\r\n\r\n",
    "too large": POST + b"Origin: %b\r\nContent-Length: 99999999\r\n\r\n",
}


@pytest.mark.parametrize("sent", UNROUTED.values(), ids=UNROUTED)
@pytest.mark.parametrize(("origin", "allowed"), [(SHOP, SHOP), ("https://evil.example", None)])
async def test_a_page_can_read_a_refusal_that_reaches_no_route(
    sent: bytes, origin: str, allowed: str | None
) -> None:
    """Without CORS headers, the page sees a network error instead of the status and code."""
    async with (
        run_gateway("127.0.0.1:1", cors_origins=SHOP) as gateway,
        connect(gateway.port) as connection,
    ):
        connection.send(sent % origin.encode())
        answer = await connection.answer()
    assert answer.error in {"bad_request", "body_too_large"}
    assert answer.headers["vary"] == "Origin"
    assert answer.headers.get("access-control-allow-origin") == allowed


QUICK = replace(LIMITS, head_seconds=0.2, body_seconds=0.2, write_seconds=0.2, linger_seconds=0.2)
SLOW = {
    "nothing at all": (b"", None),
    "empty lines": (b"\r\n", None),
    "a part of the head": (b"GET / HTTP/1.1\r\nHost", 400),
    "a part of the body": (POST + b"Content-Length: 9\r\n\r\n{", 400),
    "a part of a chunk": (CHUNKED + b"9\r\n{", 400),
    "a head after another": (HEALTH + b"GET", 200),
}


@pytest.mark.parametrize(("sent", "status"), SLOW.values(), ids=SLOW)
async def test_a_slow_client_is_not_waited_for(sent: bytes, status: int | None) -> None:
    """Clients that hold something back would keep connections for ever."""
    async with run_gateway("127.0.0.1:1", QUICK) as gateway, connect(gateway.port) as connection:
        connection.send(sent)
        if status is not None:
            assert (await connection.answer()).status == status
        await connection.rest()


async def test_a_refusal_has_nothing_of_an_earlier_request() -> None:
    """Its log line and its CORS headers would be those of the request before it."""
    async with run_gateway("127.0.0.1:1", QUICK) as gateway, connect(gateway.port) as connection:
        connection.send(HEALTH[:-2] + b"X-Request-Id: earlier\r\n\r\n")
        assert (await connection.answer()).headers["x-request-id"] == "earlier"
        connection.send(b"GET")
        answer = await connection.answer()
    assert answer.error == "bad_request"
    assert answer.headers["x-request-id"] != "earlier"


async def test_a_drip_of_bytes_does_not_extend_the_deadline() -> None:
    """A byte now and then would keep a connection for ever."""
    async with run_gateway("127.0.0.1:1", QUICK) as gateway, connect(gateway.port) as connection:

        async def drip() -> None:
            while True:
                connection.send(b"a")
                await asyncio.sleep(0.02)

        connection.send(b"GET / HTTP/1.1\r\nX-")
        dripping = asyncio.create_task(drip())
        assert (await connection.answer()).error == "bad_request"
        dripping.cancel()


async def test_a_client_that_never_reads_is_cut_off() -> None:
    """Its answers would fill the memory."""
    async with run_gateway("127.0.0.1:1", QUICK) as gateway, connect(gateway.port) as connection:
        request = HEALTH.replace(b"/health", b"/docs/swagger-ui-bundle.js")
        connection.send(request * 20)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                # The gateway stops reading once its own buffers are full, so this comes to an end.
                while not connection.writer.transport.is_closing():
                    connection.send(HEALTH)
                    await asyncio.sleep(0.05)
