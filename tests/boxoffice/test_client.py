import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, seats_pb2
from boxoffice.client import MAX_ATTEMPTS, Refused, call, connect
from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc
from boxoffice.type.v1 import money_pb2
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
Reaction = Callable[[Context], Awaitable[None]]


def refuse(refusal: errors.Refusal) -> Reaction:
    """Returns a reaction that refuses a call, as the services do."""

    async def react(context: Context) -> None:
        await errors.abort(context, refusal)

    return react


def fail(code: grpc.StatusCode) -> Reaction:
    """Returns a reaction that ends a call with a bare status, as a broken transport does."""

    async def react(context: Context) -> None:
        await context.abort(code, "cut short")

    return react


async def hang(context: Context) -> None:
    """Holds a call until its caller gives up."""
    await context.wait_for_disconnection()  # type: ignore[attr-defined]


@dataclass
class Bookings:
    """Takes one scripted reaction for each call, and answers the calls after the last one."""

    reactions: list[Reaction] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the handler of the methods that the tests call."""
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
        """Returns the handler of batches, which have no key."""
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
        if self.reactions:
            await self.reactions.pop(0)(context)
        return response


@contextlib.asynccontextmanager
async def served(bookings: Bookings) -> AsyncIterator[str]:
    """Serves on a free port; yields the address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((bookings.handler(), bookings.batch_handler()))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def bookings() -> Bookings:
    """Returns the service that the tests call."""
    return Bookings()


@pytest.fixture
async def channel(bookings: Bookings) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel to the service, as users of the package do."""
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
    """A caller could get another response than the service sent."""
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED


async def test_lost_write_is_repeated_with_the_same_key(stub: Any, bookings: Bookings) -> None:
    """A repeated write could book twice, or the caller's own request be changed."""
    bookings.reactions = [fail(grpc.StatusCode.UNAVAILABLE), refuse(errors.OutcomeUnknown())]
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED
    keys = [request.request_id for request in bookings.requests]
    assert len(keys) == MAX_ATTEMPTS
    assert len(set(keys)) == 1
    assert keys[0]
    assert not RESERVE.request_id


async def test_each_call_has_its_own_key(stub: Any, bookings: Bookings) -> None:
    """A second booking could get the response to the first one."""
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests[0].request_id != bookings.requests[1].request_id


async def test_key_of_the_caller_is_kept(stub: Any, bookings: Bookings) -> None:
    """A program that repeats its key after a crash could book twice."""
    request = bookings_pb2.ReserveRequest(event_id=1, user_id="ada", request_id="mine")
    await call(stub.Reserve, request, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests[0].request_id == "mine"


async def test_lost_read_is_repeated(stub: Any, bookings: Bookings) -> None:
    """A read could fail although another attempt would succeed."""
    bookings.reactions = [fail(grpc.StatusCode.UNKNOWN), refuse(errors.Unavailable())]
    await call(stub.GetBooking, READ, timeout_seconds=TIMEOUT_SECONDS)
    assert bookings.requests == [READ] * MAX_ATTEMPTS


async def test_write_that_cannot_carry_a_key_is_sent_once(
    channel: grpc.aio.Channel, bookings: Bookings
) -> None:
    """A write without a key could be done twice."""
    bookings.reactions = [fail(grpc.StatusCode.UNAVAILABLE)]
    stub: Any = batch_pb2_grpc.BatchServiceStub(channel)
    with pytest.raises(Refused) as refused:
        await call(stub.Batch, batch_pb2.BatchRequest(), timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "OUTCOME_UNKNOWN"
    assert len(bookings.requests) == 1


async def test_refusal_has_its_reason_and_is_not_repeated(stub: Any, bookings: Bookings) -> None:
    """A refusal could be repeated, or its reason, metadata or key not reach the caller."""
    bookings.reactions = [refuse(SoldOut(inventory_revision=50))]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "SOLD_OUT"
    assert refused.value.metadata == {"inventory_revision": "50"}
    assert refused.value.fields == {}
    assert refused.value.request_id == bookings.requests[0].request_id
    assert len(bookings.requests) == 1


async def test_refusal_names_the_fields(stub: Any, bookings: Bookings) -> None:
    """A caller could not see which field is wrong."""
    violations = [errors.Violation("user_id", "is too long")]
    bookings.reactions = [refuse(errors.ValidationFailed(violations=violations))]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.reason == "VALIDATION_ERROR"
    assert refused.value.fields == {"user_id": "is too long"}


async def test_refusal_has_its_details(stub: Any, bookings: Bookings) -> None:
    """A caller could not see which of several seats are gone."""
    details = money_pb2.Money(amount_minor=1250, currency="EUR")
    full = errors.Received(SoldOut.code, SoldOut.reason, details=details)
    bookings.reactions = [refuse(full)]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.details == details


async def test_refusal_with_many_details_arrives(stub: Any, bookings: Bookings) -> None:
    """The refusal of a large party would become UNAVAILABLE, which a client repeats for nothing."""
    seats = [seats_pb2.ScreeningSeat(section="Ü" * 50, row="ß" * 20, label="ß" * 20)] * 110
    alternatives = seats_pb2.SeatAlternatives(seats=seats)
    details = seats_pb2.SeatsUnavailableDetails(alternatives=alternatives)
    bookings.reactions = [refuse(errors.Received(SoldOut.code, SoldOut.reason, details=details))]
    with pytest.raises(Refused) as refused:
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert refused.value.details == details


async def test_own_attempt_in_flight_is_waited_for(stub: Any, bookings: Bookings) -> None:
    """A caller could be refused because of its own first attempt, which is still at work."""
    bookings.reactions = [
        fail(grpc.StatusCode.UNAVAILABLE),
        refuse(errors.RequestInProgress()),
    ]
    assert await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS) == RESERVED


async def test_key_in_flight_elsewhere_is_a_refusal(stub: Any, bookings: Bookings) -> None:
    """A caller could wait for a request of somebody else that has the same key."""
    bookings.reactions = [refuse(errors.RequestInProgress())]
    with pytest.raises(Refused, match="REQUEST_IN_PROGRESS"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_outcome_stays_unknown_after_refused_attempts(stub: Any, bookings: Bookings) -> None:
    """A write whose first attempt may have booked could be reported as not done."""
    bookings.reactions = [fail(grpc.StatusCode.UNAVAILABLE)]
    bookings.reactions += [refuse(errors.Unavailable())] * (MAX_ATTEMPTS - 1)
    with pytest.raises(Refused, match="OUTCOME_UNKNOWN"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    "reaction",
    [refuse(errors.Unavailable()), fail(grpc.StatusCode.RESOURCE_EXHAUSTED)],
    ids=["refused", "busy"],
)
async def test_write_that_no_attempt_did_is_unavailable(
    stub: Any, bookings: Bookings, reaction: Reaction
) -> None:
    """A caller could be left in doubt although no attempt did anything."""
    bookings.reactions = [reaction] * MAX_ATTEMPTS
    with pytest.raises(Refused, match="UNAVAILABLE"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_attempt_that_hangs_leaves_time_for_another(stub: Any, bookings: Bookings) -> None:
    """A replica that never answers could use up the whole deadline."""
    bookings.reactions = [hang]
    started = time.monotonic()
    assert await call(stub.Reserve, RESERVE, timeout_seconds=2) == RESERVED
    assert time.monotonic() - started < 2


async def test_deadline_is_for_all_attempts_together(stub: Any, bookings: Bookings) -> None:
    """A service that never answers could keep the caller past its deadline."""
    bookings.reactions = [hang] * MAX_ATTEMPTS
    started = time.monotonic()
    with pytest.raises(Refused, match="OUTCOME_UNKNOWN"):
        await call(stub.Reserve, RESERVE, timeout_seconds=0.5)
    assert time.monotonic() - started < 1


async def test_refused_connection_is_unavailable() -> None:
    """A caller could be left in doubt about a request that was never sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # without listening, so connections are refused
        async with connect(f"127.0.0.1:{taken.getsockname()[1]}") as channel:
            stub: Any = bookings_pb2_grpc.BookingsServiceStub(channel)
            with pytest.raises(Refused, match="UNAVAILABLE"):
                await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_token_and_request_id_are_sent(stub: Any, bookings: Bookings) -> None:
    """An attempt could lack the token, or have another request id in the logs."""
    bookings.reactions = [fail(grpc.StatusCode.UNAVAILABLE)]
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS, token="secret")
    first, second = bookings.metadata
    assert first["authorization"] == second["authorization"] == "Bearer secret"
    assert first["x-request-id"] == second["x-request-id"]


async def test_without_a_token_no_authorization_is_sent(stub: Any, bookings: Bookings) -> None:
    """An anonymous caller could be refused for an empty credential."""
    await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)
    assert "authorization" not in bookings.metadata[0]


async def test_failure_without_error_info_is_not_converted(stub: Any, bookings: Bookings) -> None:
    """A mistake of the program, such as an unknown RPC, could look like a refusal."""
    bookings.reactions = [fail(grpc.StatusCode.UNIMPLEMENTED)]
    with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
        await call(stub.Reserve, RESERVE, timeout_seconds=TIMEOUT_SECONDS)


async def test_channel_spreads_calls_over_replicas() -> None:
    """One of two replicas could get all calls."""
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
    """A rolling restart could fail a write without a key, which a server ends as CANCELLED."""
    bookings.reactions = [fail(grpc.StatusCode.CANCELLED)]
    assert await stub.Reserve(RESERVE, timeout=TIMEOUT_SECONDS) == RESERVED
    assert bookings.requests == [RESERVE] * 2
