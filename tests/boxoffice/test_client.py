import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from boxoffice.client import MAX_ATTEMPTS, Refused, call, connect
from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc
from services.bookings.errors import SoldOut
from services.kit.rpc import errors

RESERVE = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
RESERVED = bookings_pb2.ReserveResponse(inventory_revision=7)
READ_BOOKING = bookings_pb2.GetBookingResponse()
READ = bookings_pb2.GetBookingRequest(booking_id=1)
TIMEOUT_SECONDS = 5.0
BATCHES = batch_pb2.DESCRIPTOR.services_by_name["BatchService"]
SERVICE = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]

Context = grpc.aio.ServicerContext[Any, Any]
Happening = Callable[[Context], Awaitable[None]]


def refuse(refusal: errors.Refusal) -> Happening:
    """Makes a call end as the services refuse."""

    async def happen(context: Context) -> None:
        await errors.abort(context, refusal)

    return happen


def fail(code: grpc.StatusCode) -> Happening:
    """Makes a call end as a broken transport does, without a verdict."""

    async def happen(context: Context) -> None:
        await context.abort(code, "cut short")

    return happen


async def hang(context: Context) -> None:
    """Keeps a call until its caller gives up."""
    await context.wait_for_disconnection()  # type: ignore[attr-defined]


@dataclass
class Bookings:
    """Answers once all that the test lets happen has happened, one thing for each call."""

    happenings: list[Happening] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)

    def handler(self) -> grpc.GenericRpcHandler:
        """Serves the methods that the tests call."""
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                partial(self._answer, response=response),
                request.FromString,
                type(response).SerializeToString,
            )
            for name, request, response in (
                ("Reserve", bookings_pb2.ReserveRequest, RESERVED),
                ("GetBooking", bookings_pb2.GetBookingRequest, READ_BOOKING),
            )
        }
        return grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)

    def batch_handler(self) -> grpc.GenericRpcHandler:
        """Serves batches, which carry no key."""
        answer = partial(self._answer, response=batch_pb2.BatchResponse())
        handler = grpc.unary_unary_rpc_method_handler(
            answer,
            batch_pb2.BatchRequest.FromString,
            batch_pb2.BatchResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(BATCHES.full_name, {"Batch": handler})

    async def _answer(self, request: Any, context: Context, response: Any) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        if self.happenings:
            await self.happenings.pop(0)(context)
        return response


@contextlib.asynccontextmanager
async def served(bookings: Bookings) -> AsyncIterator[str]:
    """Serves on a port of its own; returns the address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((bookings.handler(), bookings.batch_handler()))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def bookings() -> Bookings:
    """Returns the service to be called."""
    return Bookings()


@pytest.fixture
async def channel(bookings: Bookings) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel of the client's to the service."""
    async with (
        served(bookings) as address,
        connect(address) as opened,
    ):
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    """Returns a stub of the service."""
    return bookings_pb2_grpc.BookingsServiceStub(channel)


async def test_call_gives_the_response(stub: Any) -> None:
    """What the service answers is what the caller gets."""
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED


async def test_lost_write_is_repeated_with_the_key_that_it_was_given(
    stub: Any, bookings: Bookings
) -> None:
    """All attempts carry one key, so that they book once; the caller's request stays as it was."""
    bookings.happenings = [fail(grpc.StatusCode.UNAVAILABLE), refuse(errors.OutcomeUnknown())]
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED
    keys = [request.request_id for request in bookings.requests]
    assert len(keys) == MAX_ATTEMPTS
    assert len(set(keys)) == 1
    assert keys[0]
    assert not RESERVE.request_id


async def test_two_calls_have_two_keys(stub: Any, bookings: Bookings) -> None:
    """A key that was made up is for one call: the next one asks for something new."""
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests[0].request_id != bookings.requests[1].request_id


async def test_key_of_the_caller_is_kept(stub: Any, bookings: Bookings) -> None:
    """Who brings a key of their own can ask again after a crash."""
    request = bookings_pb2.ReserveRequest(event_id=1, user_id="ada", request_id="mine")
    await call(stub.Reserve, request, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests[0].request_id == "mine"


async def test_lost_read_is_repeated(stub: Any, bookings: Bookings) -> None:
    """Reading twice changes nothing."""
    bookings.happenings = [fail(grpc.StatusCode.UNKNOWN), refuse(errors.Unavailable())]
    await call(stub.GetBooking, READ, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests == [READ] * MAX_ATTEMPTS


async def test_write_that_cannot_carry_a_key_is_sent_once(
    channel: grpc.aio.Channel, bookings: Bookings
) -> None:
    """Without a key, sending again might book twice."""
    bookings.happenings = [fail(grpc.StatusCode.UNAVAILABLE)]
    stub: Any = batch_pb2_grpc.BatchServiceStub(channel)
    with pytest.raises(Refused) as refused:
        await call(stub.Batch, batch_pb2.BatchRequest(), timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "OUTCOME_UNKNOWN"
    assert len(bookings.requests) == 1


async def test_refusal_tells_why_and_is_final(stub: Any, bookings: Bookings) -> None:
    """A verdict is not asked for again; its reason, metadata and key reach the caller."""
    bookings.happenings = [refuse(SoldOut(inventory_revision=50))]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "SOLD_OUT"
    assert refused.value.metadata == {"inventory_revision": "50"}
    assert refused.value.fields == {}
    assert refused.value.request_id == bookings.requests[0].request_id
    assert len(bookings.requests) == 1


async def test_refusal_names_the_fields(stub: Any, bookings: Bookings) -> None:
    """Each field that breaks its rule comes with what is wrong with it."""
    violations = [errors.Violation("user_id", "is too long")]
    bookings.happenings = [refuse(errors.ValidationFailed(violations=violations))]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "VALIDATION_ERROR"
    assert refused.value.fields == {"user_id": "is too long"}


async def test_attempt_still_in_flight_is_waited_for(stub: Any, bookings: Bookings) -> None:
    """The service may still be at an attempt that was given up: its answer will be the answer."""
    bookings.happenings = [
        fail(grpc.StatusCode.UNAVAILABLE),
        refuse(errors.RequestInProgress()),
    ]
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED


async def test_key_in_flight_elsewhere_is_a_refusal(stub: Any, bookings: Bookings) -> None:
    """Somebody else at work with the same key is for the caller to know."""
    bookings.happenings = [refuse(errors.RequestInProgress())]
    with pytest.raises(Refused, match="REQUEST_IN_PROGRESS"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_doubt_outlives_attempts_that_did_nothing(stub: Any, bookings: Bookings) -> None:
    """That the last attempt did nothing says nothing about the first, which may have booked."""
    bookings.happenings = [fail(grpc.StatusCode.UNAVAILABLE)]
    bookings.happenings += [refuse(errors.Unavailable())] * (MAX_ATTEMPTS - 1)
    with pytest.raises(Refused, match="OUTCOME_UNKNOWN"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    "happening",
    [refuse(errors.Unavailable()), fail(grpc.StatusCode.RESOURCE_EXHAUSTED)],
    ids=["refused", "busy"],
)
async def test_what_was_never_done_is_unavailable(
    stub: Any, bookings: Bookings, happening: Happening
) -> None:
    """Where every attempt certainly did nothing, the caller hears so."""
    bookings.happenings = [happening] * MAX_ATTEMPTS
    with pytest.raises(Refused, match="UNAVAILABLE"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_attempt_that_hangs_leaves_time_for_another(stub: Any, bookings: Bookings) -> None:
    """A replica that never answers does not use up the whole deadline."""
    bookings.happenings = [hang]
    started = time.monotonic()
    assert await call(stub.Reserve, RESERVE, timeout_seconds=2) == RESERVED
    assert time.monotonic() - started < 2


async def test_deadline_is_for_all_attempts_together(stub: Any, bookings: Bookings) -> None:
    """A service that never answers keeps the caller no longer than the caller said."""
    bookings.happenings = [hang] * MAX_ATTEMPTS
    started = time.monotonic()
    with pytest.raises(Refused, match="OUTCOME_UNKNOWN"):
        await call(stub.Reserve, RESERVE, timeout_seconds=0.5)
    assert time.monotonic() - started < 1


async def test_nobody_listening_is_unavailable() -> None:
    """What was never sent was never done."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # without listening, so connections are refused
        async with connect(f"127.0.0.1:{taken.getsockname()[1]}") as channel:
            stub: Any = bookings_pb2_grpc.BookingsServiceStub(channel)
            with pytest.raises(Refused, match="UNAVAILABLE"):
                await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_token_and_request_id_are_sent(stub: Any, bookings: Bookings) -> None:
    """Every attempt says on whose behalf, under one id that logs can be searched for."""
    bookings.happenings = [fail(grpc.StatusCode.UNAVAILABLE)]
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS, token="secret")
    first, second = bookings.metadata
    assert first["authorization"] == second["authorization"] == "Bearer secret"
    assert first["x-request-id"] == second["x-request-id"]


async def test_without_a_token_no_authorization_is_sent(stub: Any, bookings: Bookings) -> None:
    """An empty credential would be one that is not valid."""
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert "authorization" not in bookings.metadata[0]


async def test_failure_that_is_not_of_boxoffice_stays_as_it_is(
    stub: Any, bookings: Bookings
) -> None:
    """A server that knows no such RPC is a mistake of the program, and no refusal."""
    bookings.happenings = [fail(grpc.StatusCode.UNIMPLEMENTED)]
    with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_channel_takes_turns_among_the_replicas() -> None:
    """Two replicas share the calls."""
    first, second = Bookings(), Bookings()
    async with (
        served(first) as one,
        served(second) as two,
        connect(f"ipv4:{one},{two}") as channel,
    ):
        stub: Any = bookings_pb2_grpc.BookingsServiceStub(channel)
        while not (first.requests and second.requests):
            await call(stub.GetBooking, READ, timeout_seconds=TIMEOUT_SECONDS)
        for _ in range(10):
            await call(stub.GetBooking, READ, timeout_seconds=TIMEOUT_SECONDS)
    assert min(len(first.requests), len(second.requests)) >= 6


async def test_call_that_a_stopping_server_did_not_begin_is_sent_again(
    stub: Any, bookings: Bookings
) -> None:
    """Such a server ends it as CANCELLED, so that even a write without a key may be repeated."""
    bookings.happenings = [fail(grpc.StatusCode.CANCELLED)]
    assert await stub.Reserve(RESERVE, timeout=TIMEOUT_SECONDS) == RESERVED
    assert bookings.requests == [RESERVE] * 2
