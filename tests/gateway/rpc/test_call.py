"""What becomes of calls that fail: the answer, and what is tried again."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings
from gateway.rpc.call import CallContext, RetryBudget, Rpc, UnaryCall
from services.kit.rpc.errors import OutcomeUnknown, Unavailable
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.gateway.script import Answer, Script, ScriptedServer, TransportError

Code = grpc.StatusCode
RESERVATION = {"event_id": 5, "user_id": "alice"}
KEY = {"Idempotency-Key": "k"}
READ, WRITE = "GetEvent", "Reserve"


async def ask(client: httpx.AsyncClient, rpc: str, headers: dict[str, str]) -> httpx.Response:
    """Makes the request that leads to the RPC."""
    if rpc == READ:
        return await client.get("/events/5", headers=headers)
    return await client.post("/api/bookings/reserve", json=RESERVATION, headers=headers)


def failing(*faults: Exception) -> Answer:
    """Makes an answer that fails as often as there are faults, and then is fine."""
    left = list(faults)

    def answer(request: Any) -> Any:
        if left:
            raise left.pop(0)
        if hasattr(request, "user_id"):
            return messages.reserved(request)
        return events_pb2.GetEventResponse(event=messages.event())

    return answer


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("rpc", "fault", "status", "code"),
    [
        (WRITE, TransportError(Code.DEADLINE_EXCEEDED), 504, "outcome_unknown"),
        (WRITE, TransportError(Code.UNAVAILABLE), 504, "outcome_unknown"),
        (WRITE, TransportError(Code.CANCELLED), 504, "outcome_unknown"),
        (WRITE, TransportError(Code.UNKNOWN), 504, "outcome_unknown"),
        (WRITE, TransportError(Code.INTERNAL), 504, "outcome_unknown"),
        (WRITE, TransportError(Code.RESOURCE_EXHAUSTED), 503, "unavailable"),
        (WRITE, TransportError(Code.UNIMPLEMENTED), 500, "internal"),
        (WRITE, TransportError(Code.PERMISSION_DENIED), 500, "internal"),
        (WRITE, Unavailable(), 503, "unavailable"),
        (WRITE, OutcomeUnknown(), 504, "outcome_unknown"),
        (READ, TransportError(Code.DEADLINE_EXCEEDED), 504, "outcome_unknown"),
        (READ, TransportError(Code.UNAVAILABLE), 503, "unavailable"),
        (READ, TransportError(Code.INTERNAL), 503, "unavailable"),
        (READ, TransportError(Code.RESOURCE_EXHAUSTED), 503, "unavailable"),
        (READ, Unavailable(), 503, "unavailable"),
    ],
    ids=str,
)
async def test_a_failed_call_says_whether_it_may_have_been_done(
    client: httpx.AsyncClient, script: Script, rpc: str, fault: Exception, status: int, code: str
) -> None:
    """A write that may have arrived would get 503, which promises that it did not."""
    script.answers[rpc] = failing(*[fault] * 9)
    answer = await ask(client, rpc, {})
    assert (answer.status_code, answer.json()) == (status, {"error": code})
    assert answer.headers.get("retry-after") == ("1" if status in {503, 504} else None)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("rpc", "headers", "fault", "times"),
    [
        (READ, {}, TransportError(Code.UNAVAILABLE), 2),
        (WRITE, KEY, TransportError(Code.UNAVAILABLE), 2),
        (WRITE, KEY, OutcomeUnknown(), 2),
        (WRITE, {}, TransportError(Code.UNAVAILABLE), 1),
        (WRITE, KEY, Unavailable(), 1),
        (WRITE, KEY, TransportError(Code.RESOURCE_EXHAUSTED), 1),
        (READ, {}, Unavailable(), 1),
        (READ, {}, TransportError(Code.DEADLINE_EXCEEDED), 1),
    ],
    ids=str,
)
async def test_only_what_is_harmless_is_sent_again(
    client: httpx.AsyncClient,
    script: Script,
    rpc: str,
    headers: dict[str, str],
    fault: Exception,
    times: int,
) -> None:
    """A write without a key would be done twice, or an overloaded service get more calls."""
    script.answers[rpc] = failing(fault)
    answer = await ask(client, rpc, headers)
    assert len(script.asked) == times
    assert answer.is_success == (times == 2)
    assert len({asked.metadata["x-request-id"] for asked in script.asked}) == 1


def test_a_service_in_trouble_gets_hardly_more_calls() -> None:
    """Repetitions would double the load of a service that fails."""
    budget = RetryBudget(capacity=3)
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]
    for _ in range(11):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


async def test_nothing_sent_is_tried_again_and_then_unavailable(unused_tcp_port: int) -> None:
    """A connection that was refused would fail a request that could be repeated safely."""
    async with (
        run_gateway(f"127.0.0.1:{unused_tcp_port}") as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        answer = await ask(client, WRITE, {})
        assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})
        assert answer.headers["retry-after"] == "1"


async def test_a_service_that_comes_back_in_time_is_found(unused_tcp_port: int) -> None:
    """Clients would see each restart, however short."""
    server = ScriptedServer(Script({WRITE: messages.reserved}))
    target = f"127.0.0.1:{unused_tcp_port}"
    async with (
        run_gateway(target) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        refused = await ask(client, WRITE, {})
        await server.start(unused_tcp_port)
        async with asyncio.timeout(5):
            while not (answer := await ask(client, WRITE, {})).is_success:
                assert answer.status_code == 503
        assert refused.status_code == 503
    await server.stop()


async def test_a_service_that_dies_half_way_leaves_the_outcome_unknown() -> None:
    """A call that had arrived would be called not done."""
    arrived, server = asyncio.Event(), ScriptedServer(Script())

    async def never(_: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    server.script.answers[WRITE] = never
    async with (
        run_gateway(await server.start()) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        asking = asyncio.create_task(ask(client, WRITE, {}))
        await asyncio.wait_for(arrived.wait(), 5)
        await server.stop()
        answer = await asking
    assert (answer.status_code, answer.json()) == (504, {"error": "outcome_unknown"})


async def test_a_service_that_never_answers_is_given_up_in_time() -> None:
    """Attempts would add up to more than the deadline of the request."""
    server = ScriptedServer(Script({WRITE: lambda _: asyncio.Event().wait()}))
    async with (
        run_gateway(await server.start(), deadline_seconds=0.2) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
        asyncio.timeout(3),
    ):
        answer = await ask(client, WRITE, KEY)
    assert (answer.status_code, answer.json()) == (504, {"error": "outcome_unknown"})
    await server.stop()


async def test_a_repeat_that_is_refused_does_not_hide_the_first_attempt() -> None:
    """What the first attempt may have done would be called not done."""
    calls = UnaryCall(_reserve(), _failing_rpc(), RetryBudget(), deadline_seconds=5)
    request = bookings_pb2.ReserveRequest(event_id=5, user_id="alice", request_id="k")
    assert isinstance(await calls(request, CallContext("r", "")), OutcomeUnknown)


def _reserve() -> Binding:
    service = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]
    [binding] = [b for b in read_bindings([service]) if b.rpc.name == WRITE]
    return binding


def _failing_rpc() -> Rpc:
    """Loses sight of the first attempt, and refuses the second for certain."""
    failures = iter([OutcomeUnknown(), Unavailable()])

    async def call(request: object, *, timeout: float, metadata: object) -> object:
        raise next(failures)

    return call
