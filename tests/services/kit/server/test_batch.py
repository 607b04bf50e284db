"""Batches over gRPC, in front of handlers that each test scripts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import psycopg
import pytest
import structlog
from prometheus_client import REGISTRY

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Authenticator
from services.kit.rpc import context
from services.kit.rpc.errors import Busy, RequestInProgress, Unavailable
from services.kit.server import batch, interceptors
from services.kit.server.batch import (
    BatchServicer,
    Handler,
    Item,
    Outcome,
    answer_alone,
    handlers_of,
)
from services.kit.server.server import Server
from tests.services.batch_items import batch as batch_of
from tests.services.batch_items import item, reason
from tests.services.kit.serving import KEY

BOOKINGS = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]
WAITING_LIST = waiting_list_pb2.DESCRIPTOR.services_by_name["WaitingListService"]
RESERVE = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
COUNT = bookings_pb2.GetAvailabilityRequest(event_id=1)
CREATE = bookings_pb2.CreateBookingRequest(event_id=1, seat_count=1)
RESERVED = bookings_pb2.ReserveResponse(inventory_revision=7)
COUNTED = bookings_pb2.GetAvailabilityResponse(inventory_revision=8)


def handler_of(*outcomes: Outcome) -> Handler:
    """Returns a handler that gives these outcomes in order, and then repeats the last one."""

    async def handle(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        return [outcomes[min(index, len(outcomes) - 1)] for index in range(len(items))]

    return handle


def failing_handler(error: Exception) -> Handler:
    """Returns a handler that fails."""

    async def handle(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        raise error

    return handle


def servicer(**handlers: Handler) -> BatchServicer:
    """Returns a servicer of bookings; methods without a handler here are Unavailable."""
    names = ("Reserve", "CreateBooking", "GetAvailability", "CancelBookingByReference")
    handled = {name: handler_of(Unavailable()) for name in names} | handlers
    authenticator = Authenticator(open_access=True, service_key=KEY)
    return BatchServicer(authenticator, handlers_of(BOOKINGS, **handled), log_sample=1)


@contextlib.asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[Any]:
    """Serves batches of bookings behind all layers; yields a stub."""
    authenticator = Authenticator(open_access=True, service_key=KEY)
    server = Server(interceptors.layers(authenticator, log_sample=0))
    batch_pb2_grpc.add_BatchServiceServicer_to_server(servicer(**handlers), server.grpc)
    port = server.listen("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield batch_pb2_grpc.BatchServiceStub(channel)
    finally:
        await server.grpc.stop(None)


def counted(method: str, code: str, why: str = "") -> float:
    """Reads how many calls of a method ended with a code and a reason."""
    labels = {"method": method, "code": code, "reason": why}
    return REGISTRY.get_sample_value("boxoffice_rpc_total", labels) or 0


def timed(method: str) -> float:
    """Reads how many calls of a method were timed."""
    return REGISTRY.get_sample_value("boxoffice_rpc_seconds_count", {"method": method}) or 0


async def test_results_are_in_the_order_of_the_items() -> None:
    """A caller could get the response to another one."""
    async with serving(
        Reserve=handler_of(RESERVED, RequestInProgress()), GetAvailability=handler_of(COUNTED)
    ) as stub:
        results = (await stub.Batch(batch_of(COUNT, RESERVE, COUNT, RESERVE))).results
    assert [result.response for result in results[:3]] == [
        COUNTED.SerializeToString(),
        RESERVED.SerializeToString(),
        COUNTED.SerializeToString(),
    ]
    assert reason(results[3]) == "REQUEST_IN_PROGRESS"


async def test_a_response_in_bytes_is_not_changed() -> None:
    """A stored response could differ from the first one."""
    stored = RESERVED.SerializeToString() + b"\x7a\x01x"
    async with serving(Reserve=handler_of(stored)) as stub:
        [result] = (await stub.Batch(batch_of(RESERVE))).results
    assert result.response == stored


async def test_handlers_run_concurrently() -> None:
    """A slow method could delay the others of its batch."""
    together = asyncio.Barrier(2)

    def meeting(outcome: Outcome) -> Handler:
        async def handle(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
            await together.wait()
            return [outcome] * len(items)

        return handle

    async with serving(Reserve=meeting(RESERVED), GetAvailability=meeting(COUNTED)) as stub:
        results = (await stub.Batch(batch_of(RESERVE, COUNT), timeout=10)).results
    assert all(result.HasField("response") for result in results)


async def test_an_item_has_its_own_caller_and_id() -> None:
    """An item could be decided or logged with the caller or id of another one."""
    seen: list[Item[Any]] = []

    async def look(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        seen.extend(items)
        return [RESERVED] * len(items)

    items = [item(RESERVE, f"Service {KEY}", "one"), item(RESERVE, "", "two"), item(RESERVE)]
    metadata = (("authorization", f"Service {KEY}"), ("x-request-id", "whole"))
    async with serving(Reserve=look) as stub:
        await stub.Batch(batch_pb2.BatchRequest(items=items), metadata=metadata)
    assert [one.caller for one in seen] == [SERVICE, ANONYMOUS, ANONYMOUS]
    assert [one.request_id for one in seen[:2]] == ["one", "two"]
    assert len(seen[2].request_id) == 32
    assert [one.request for one in seen] == [RESERVE] * 3


async def test_a_refused_item_reaches_no_handler() -> None:
    """An item could evade a check that its own call would have, or refuse the whole batch."""
    seen: list[Any] = []

    async def look(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        seen.extend(one.request for one in items)
        return [RESERVED] * len(items)

    malformed, unknown, unbatched = item(RESERVE), item(RESERVE), item(RESERVE)
    malformed.request = b"\xff\xff"
    unknown.method = "/boxoffice.bookings.v1.BookingsService/Steal"
    unbatched.method = "/boxoffice.bookings.v1.BookingsService/ListBookings"
    items = [
        malformed,
        unknown,
        unbatched,
        item(bookings_pb2.ReserveRequest(user_id="ada")),
        item(RESERVE, "Bearer x.y.z"),
        item(CREATE),
        item(RESERVE),
    ]
    async with serving(Reserve=look) as stub:
        results = (await stub.Batch(batch_pb2.BatchRequest(items=items))).results
    assert list(map(reason, results)) == [
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "INVALID_TOKEN",
        "UNAUTHENTICATED",
        "",
    ]
    assert seen == [RESERVE]


@pytest.mark.parametrize(
    ("error", "reasons"),
    [
        (RequestInProgress(), ["REQUEST_IN_PROGRESS"] * 2),
        (ValueError("secret"), ["INTERNAL"] * 2),
        (psycopg.OperationalError("connection lost"), ["OUTCOME_UNKNOWN", "UNAVAILABLE"]),
    ],
)
async def test_a_handler_that_fails_fails_its_own_items(
    error: Exception, reasons: list[str]
) -> None:
    """A failure could reach items of other methods, or its text reach clients."""
    async with serving(
        Reserve=failing_handler(error),
        GetAvailability=failing_handler(error),
        CreateBooking=handler_of(RESERVED),
    ) as stub:
        items = [item(RESERVE), item(COUNT), item(CREATE, f"Service {KEY}")]
        results = (await stub.Batch(batch_pb2.BatchRequest(items=items))).results
    assert [reason(result) for result in results[:2]] == reasons
    assert b"secret" not in results[0].error


async def test_a_handler_with_a_missing_outcome_fails() -> None:
    """A missing outcome could shift all others to wrong callers."""

    async def lose(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        return [RESERVED] * (len(items) - 1)

    async with serving(Reserve=lose) as stub:
        results = (await stub.Batch(batch_of(RESERVE, RESERVE))).results
    assert list(map(reason, results)) == ["INTERNAL", "INTERNAL"]


async def test_busy_is_reported_to_batches_that_skip_only() -> None:
    """A client that does not ask again could get no result."""
    async with serving(Reserve=handler_of(Busy())) as stub:
        [skipped] = (await stub.Batch(batch_of(RESERVE, skip_busy=True))).results
        [refused] = (await stub.Batch(batch_of(RESERVE))).results
    assert skipped.busy
    assert reason(refused) == "UNAVAILABLE"


async def test_each_item_is_counted_timed_and_logged() -> None:
    """Items could be missing from metrics and logs, or a busy item be counted twice."""
    reserve, count = (f"/{BOOKINGS.full_name}/{name}" for name in ("Reserve", "GetAvailability"))
    kinds = [(reserve, "OK", ""), (reserve, "ABORTED", "REQUEST_IN_PROGRESS"), (count, "OK", "")]
    kinds += [(f"/{batch.SERVICE}/Batch", "INVALID_ARGUMENT", "VALIDATION_ERROR")]
    before = [counted(*kind) for kind in kinds], timed(reserve)
    unknown = item(RESERVE, request_id="unknown")
    unknown.method = "/made.up/Method"
    items = [
        item(RESERVE, request_id="first"),
        item(RESERVE, request_id="again"),
        item(RESERVE, request_id="busy"),
        item(COUNT, request_id="read"),
        unknown,
    ]
    handlers = {
        "Reserve": handler_of(RESERVED, RequestInProgress(), Busy()),
        "GetAvailability": handler_of(COUNTED),
    }
    with structlog.testing.capture_logs() as lines:
        async with serving(**handlers) as stub:
            await stub.Batch(batch_pb2.BatchRequest(items=items, skip_busy=True))
    assert [counted(*kind) for kind in kinds] == [number + 1 for number in before[0]]
    assert timed(reserve) == before[1] + 2
    assert not counted("/made.up/Method", "INVALID_ARGUMENT", "VALIDATION_ERROR")
    logged = {line["request_id"]: (line["event"], line["method"]) for line in lines}
    assert logged == {
        "first": ("answered", reserve),
        "again": ("refused", reserve),
        "read": ("answered", count),
        "unknown": ("refused", f"/{batch.SERVICE}/Batch"),
    }


async def test_items_of_a_cancelled_batch_are_counted() -> None:
    """A cancelled batch could be missing from metrics, or a refused item be counted twice."""
    reserve = f"/{BOOKINGS.full_name}/Reserve"
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def hang(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ()

    before = counted(reserve, "CANCELLED")
    invalid = bookings_pb2.ReserveRequest()
    async with serving(Reserve=hang) as stub:
        call = stub.Batch(batch_of(RESERVE, invalid, RESERVE))
        await arrived.wait()
        call.cancel()
        await ended.wait()
    assert counted(reserve, "CANCELLED") == before + 2


async def test_a_single_call_uses_the_same_handler() -> None:
    """A single call could behave differently from an item of a batch."""
    seen: list[Item[Any]] = []

    async def look(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        seen.extend(items)
        return [RESERVED.SerializeToString()]

    context.caller.set(SERVICE)
    context.request_id.set("alone")
    response = bookings_pb2.ReserveResponse
    assert await answer_alone(look, RESERVE, response) == RESERVED
    assert seen == [Item(RESERVE, SERVICE, "alone")]
    assert await answer_alone(handler_of(RESERVED), RESERVE, response) is RESERVED
    with pytest.raises(RequestInProgress):
        await answer_alone(handler_of(RequestInProgress()), RESERVE, response)
    with pytest.raises(TypeError):
        await answer_alone(handler_of(COUNTED), RESERVE, response)


def test_each_batched_method_needs_a_handler() -> None:
    """A batched method without a handler could be noticed in production only."""
    authenticator = Authenticator(open_access=True, service_key=KEY)
    missing = handlers_of(WAITING_LIST, Book=handler_of(RESERVED))
    with pytest.raises(ValueError, match="Cancel"):
        BatchServicer(authenticator, missing, log_sample=1)
    with pytest.raises(ValueError, match="ListBookings"):
        servicer(ListBookings=handler_of(RESERVED))


async def test_a_read_too_large_for_the_batch_is_asked_by_itself() -> None:
    """Large maps together would exceed the size of a message, and fail all callers of the batch."""
    large = handler_of(b"x" * (batch.MAX_READ_BYTES // 2 + 1))
    async with serving(GetAvailability=large, Reserve=large) as stub:
        results = (await stub.Batch(batch_of(COUNT, COUNT))).results
        assert [result.busy for result in results] == [False, True]
        results = (await stub.Batch(batch_of(RESERVE, RESERVE))).results
        assert [result.busy for result in results] == [False, False], "they are booked"
