"""Requests that share a batch, over HTTP, in front of a service whose batches each test writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
from google.rpc import status_pb2

from boxoffice.bookings.v1 import bookings_pb2
from services.bookings.errors import EventNotFound
from services.kit.errors import OutcomeUnknown, Unavailable, status_of
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.gateway.script import Script, ScriptedServer, TransportError
from tests.services.issuer import ScriptedIssuer, account

BATCH = "BatchReserve"
Result = bookings_pb2.BatchReserveResult
Request = bookings_pb2.BatchReserveRequest
Response = bookings_pb2.BatchReserveResponse


@contextlib.asynccontextmanager
async def batching(script: Script) -> AsyncIterator[httpx.AsyncClient]:
    """Runs a gateway that batches in front of the script."""
    server = ScriptedServer(script)
    target = await server.start()
    async with (
        run_gateway(target, batch_size=64) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        yield client
    await server.stop()


def reserve(
    client: httpx.AsyncClient, event_id: int, user_id: str
) -> "asyncio.Task[httpx.Response]":
    """Asks for a seat beside what else is asked."""
    body = {"event_id": event_id, "user_id": user_id}
    headers = {"X-Request-Id": f"id-{user_id}"}
    return asyncio.create_task(client.post("/api/bookings/reserve", json=body, headers=headers))


def granted(request: Request) -> Response:
    """Grants every item."""
    made = (Result(response=messages.reserved(item.request)) for item in request.items)
    return Response(results=made)


async def test_each_of_a_batch_gets_its_own_answer() -> None:
    """One is refused, one is in doubt and one is certainly not done; the others are booked."""
    errors: dict[str, status_pb2.Status] = {
        "doubt": status_of(OutcomeUnknown()),
        "never": status_of(Unavailable()),
    }

    def answer(request: Request) -> Response:
        return Response(
            results=(
                Result(error=errors[item.request.user_id])
                if item.request.user_id in errors
                else Result(response=messages.reserved(item.request))
                for item in request.items
            )
        )

    script = Script({BATCH: answer})
    async with batching(script) as client:
        asked = [reserve(client, 5, user) for user in ("ada", "doubt", "never", "bob")]
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201, 504, 503, 201]
    assert answers[3].json()["user_id"] == "bob"
    ids = {item.caller_request_id for call in script.asked for item in call.request.items}
    assert ids == {"id-ada", "id-doubt", "id-never", "id-bob"}


async def test_who_shows_an_api_key_goes_alone() -> None:
    """Accounts may have to be asked about it, which nobody else waits for."""
    arrived, told = asyncio.Event(), asyncio.Event()

    async def hang(request: bookings_pb2.ReserveRequest) -> bookings_pb2.ReserveResponse:
        arrived.set()
        await told.wait()
        return messages.reserved(request)

    script = Script({BATCH: granted, "Reserve": hang})
    async with batching(script) as client:
        client.headers["Authorization"] = "Bearer box_one_secret"
        waiting = reserve(client, 1, "ada")
        await arrived.wait()
        del client.headers["Authorization"]
        assert (await reserve(client, 1, "bob")).status_code == 201
        assert not waiting.done()
        told.set()
        assert (await waiting).status_code == 201
    assert [call.rpc for call in script.asked] == ["Reserve", BATCH]
    assert script.asked[0].metadata["authorization"] == "Bearer box_one_secret"


async def test_what_is_nobodys_to_see_is_asked_for_with_a_token() -> None:
    """A batch that knows no callers hides what is for one of them; nobody else asks twice."""
    seats = bookings_pb2.Availability(event_id=5, total_seats=3)
    found = bookings_pb2.GetAvailabilityResponse(availability=seats)

    def hide(request: bookings_pb2.BatchGetAvailabilityRequest) -> Any:
        error = status_of(EventNotFound())
        results = [bookings_pb2.BatchGetAvailabilityResult(error=error) for _ in request.items]
        return bookings_pb2.BatchGetAvailabilityResponse(results=results)

    script = Script({"BatchGetAvailability": hide, "GetAvailability": lambda _: found})
    token = {"Authorization": f"Bearer {ScriptedIssuer().token(account('ada'))}"}
    async with batching(script) as client:
        path = "/api/events/5/availability"
        assert (await client.get(path)).json() == {"error": "event_not_found"}
        assert (await client.get(path, headers=token)).json()["total_seats"] == 3
    asked = [call for call in script.asked if call.rpc.endswith("GetAvailability")]
    assert [call.rpc for call in asked] == ["BatchGetAvailability"] * 2 + ["GetAvailability"]
    assert asked[2].metadata["authorization"] == token["Authorization"]


async def test_what_is_busy_waits_where_it_delays_nobody() -> None:
    """A locked event's requests go to a lane of their own; a free one is sold meanwhile."""
    unlocked = asyncio.Event()

    async def answer(request: Request) -> Response:
        if not request.skips_locked:
            assert {item.request.event_id for item in request.items} == {1}
            await unlocked.wait()
            return granted(request)
        return Response(
            results=(
                Result(busy=True)
                if item.request.event_id == 1
                else Result(response=messages.reserved(item.request))
                for item in request.items
            )
        )

    async with batching(Script({BATCH: answer})) as client:
        waiting = [reserve(client, 1, user) for user in ("ada", "bob")]
        for user in ("cy", "di"):
            assert (await reserve(client, 2, user)).status_code == 201
        assert not any(task.done() for task in waiting)
        unlocked.set()
        assert [(await task).status_code for task in waiting] == [201, 201]


async def test_what_stays_busy_is_not_done() -> None:
    """Whoever is told so twice may ask again: it is no defect."""
    busy = Script({BATCH: lambda request: Response(results=[Result(busy=True)])})
    async with batching(busy) as client:
        answer = await reserve(client, 1, "ada")
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})


async def test_a_lost_batch_leaves_each_outcome_unknown() -> None:
    """Nobody in it can be told that nothing was done; who brought a key is asked for again."""
    lost = [TransportError(grpc.StatusCode.UNAVAILABLE)]

    def answer(request: Request) -> Response:
        if lost:
            raise lost.pop()
        return granted(request)

    script = Script({BATCH: answer})
    async with batching(script) as client:
        answer_without_key = await reserve(client, 5, "ada")
        assert answer_without_key.json() == {"error": "outcome_unknown"}
        lost.append(TransportError(grpc.StatusCode.UNAVAILABLE))
        body = {"event_id": 5, "user_id": "bob"}
        with_key = await client.post(
            "/api/bookings/reserve", json=body, headers={"Idempotency-Key": "k"}
        )
        assert with_key.status_code == 201
    assert len(script.asked) == 3
