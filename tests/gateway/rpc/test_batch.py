"""Requests that share a batch, over HTTP, in front of a service whose batches each test writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import httpx

from boxoffice.bookings.v1 import bookings_pb2, payments_pb2, waiting_list_pb2
from boxoffice.rest.v1 import batch_pb2
from gateway.rpc.batch import Batches, Item
from services.bookings.errors import EventNotFound
from services.kit.rpc.errors import (
    OutcomeUnknown,
    Received,
    Refusal,
    Unavailable,
    ValidationFailed,
    Violation,
    status_of,
)
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.gateway.script import Script, ScriptedServer, TransportError
from tests.services.issuer import ScriptedIssuer, account

BATCH = "Batch"
Result = batch_pb2.BatchResult
Request = batch_pb2.BatchRequest
Response = batch_pb2.BatchResponse
RESERVE = "/boxoffice.bookings.v1.BookingsService/Reserve"
CANCEL = "/boxoffice.bookings.v1.WaitingListService/Cancel"
COUNT = "/boxoffice.bookings.v1.BookingsService/GetAvailability"
DEADLINE_SECONDS = 30


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


def asked_for(item: batch_pb2.BatchItem) -> bookings_pb2.ReserveRequest:
    """Reads the reservation that an item asks for."""
    assert item.method == RESERVE
    return bookings_pb2.ReserveRequest.FromString(item.request)


def grant(item: batch_pb2.BatchItem) -> Result:
    """Grants a reservation."""
    return Result(response=messages.reserved(asked_for(item)).SerializeToString())


def refuse(refusal: Refusal) -> Result:
    """Refuses an item."""
    return Result(error=status_of(refusal).SerializeToString())


def granted(request: Request) -> Response:
    """Grants every item."""
    return Response(results=map(grant, request.items))


async def test_each_of_a_batch_gets_its_own_answer() -> None:
    """One that is refused or in doubt would take the rest of its batch along."""
    details = messages.money(1250, "EUR")
    full = Received(grpc.StatusCode.RESOURCE_EXHAUSTED, "SOLD_OUT", details=details)
    refusals: dict[str, Refusal] = {"doubt": OutcomeUnknown(), "never": Unavailable(), "late": full}

    def answer(request: Request) -> Response:
        results = []
        for item in request.items:
            user = asked_for(item).user_id
            results.append(refuse(refusals[user]) if user in refusals else grant(item))
        return Response(results=results)

    script = Script({BATCH: answer})
    async with batching(script) as client:
        asked = [reserve(client, 5, user) for user in ("ada", "doubt", "never", "bob", "late")]
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201, 504, 503, 201, 409]
    assert answers[3].json()["user_id"] == "bob"
    assert answers[4].json()["details"] == {"amount_minor": 1250, "currency": "EUR"}
    ids = {item.request_id for call in script.asked for item in call.request.items}
    assert ids == {"id-ada", "id-doubt", "id-never", "id-bob", "id-late"}


async def test_a_call_with_an_api_key_is_sent_alone() -> None:
    """Everybody in the batch would wait while accounts is asked about the key."""
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


async def test_methods_of_a_service_share_their_batches() -> None:
    """Each method would send small batches of its own, and reads wait for writes."""
    arrived, told = asyncio.Event(), asyncio.Event()
    given = waiting_list_pb2.CancelResponse(
        result=waiting_list_pb2.CancelResult(status="cancelled")
    )
    seats = bookings_pb2.GetAvailabilityResponse(
        availability=bookings_pb2.Availability(event_id=5, total_seats=3)
    )

    async def answer(request: Request) -> Response:
        if not request.skip_busy:
            return Response(results=[Result(response=seats.SerializeToString())])
        if not arrived.is_set():
            arrived.set()
            await told.wait()
        cancelled = Result(response=given.SerializeToString())
        return Response(
            results=(cancelled if each.method == CANCEL else grant(each) for each in request.items)
        )

    script = Script({BATCH: answer})
    async with batching(script) as client:
        first = reserve(client, 1, "ada")
        await arrived.wait()
        body = {"event_id": "gig", "user_id": "bob"}
        second = asyncio.create_task(client.post("/cancel", json=body))
        third = reserve(client, 2, "cy")
        assert (await client.get("/api/events/5/availability")).json()["total_seats"] == 3
        told.set()
        answers = [await task for task in (first, second, third)]
    assert [answer.status_code for answer in answers] == [201, 200, 201]
    assert answers[1].json()["status"] == "cancelled"
    calls = [call.request for call in script.asked if call.rpc == BATCH]
    writes = [{item.method for item in call.items} for call in calls if call.skip_busy]
    assert writes == [{RESERVE}, {RESERVE, CANCEL}]


async def test_a_read_carries_the_token_of_its_caller() -> None:
    """An owner would not see their own draft."""
    token = f"Bearer {ScriptedIssuer().token(account('ada'))}"

    def hide(request: Request) -> Response:
        return Response(results=[refuse(EventNotFound())] * len(request.items))

    script = Script({BATCH: hide})
    async with batching(script) as client:
        path = "/api/events/5/availability"
        assert (await client.get(path)).json() == {"error": "event_not_found"}
        await client.get(path, headers={"Authorization": token})
    sent = [
        item.authorization
        for call in script.asked
        if call.rpc == BATCH
        for item in call.request.items
    ]
    assert sent == ["", token]


async def test_a_busy_item_waits_where_it_delays_nobody() -> None:
    """A locked event would hold up the sale of all others."""
    unlocked = asyncio.Event()

    async def answer(request: Request) -> Response:
        if not request.skip_busy:
            assert {asked_for(item).event_id for item in request.items} == {1}
            await unlocked.wait()
            return granted(request)
        results = (
            Result(busy=True) if asked_for(item).event_id == 1 else grant(item)
            for item in request.items
        )
        return Response(results=results)

    async with batching(Script({BATCH: answer})) as client:
        waiting = [reserve(client, 1, user) for user in ("ada", "bob")]
        for user in ("cy", "di"):
            assert (await reserve(client, 2, user)).status_code == 201
        assert not any(task.done() for task in waiting)
        unlocked.set()
        assert [(await task).status_code for task in waiting] == [201, 201]


async def test_an_item_that_stays_busy_is_not_done() -> None:
    """A client that may safely ask again would be told of a defect."""
    busy = Script({BATCH: lambda request: Response(results=[Result(busy=True)])})
    async with batching(busy) as client:
        answer = await reserve(client, 1, "ada")
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})


async def test_a_lost_batch_leaves_each_outcome_unknown() -> None:
    """Somebody who has booked would be told that nothing was done."""
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


async def test_identical_reads_of_a_batch_are_sent_once() -> None:
    """A map that everybody looks at would be rendered and sent for each of them."""
    seats = bookings_pb2.GetAvailabilityResponse(inventory_revision=7).SerializeToString()

    def answer(request: Request) -> Response:
        return Response(results=[Result(response=seats) for _ in request.items])

    script = Script({BATCH: answer})
    server = ScriptedServer(script)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        batches = Batches("bookings", channel, at_once=64, waiting=64)
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        same = Item(COUNT, b"", "", "", deadline)
        asked = (batches.reads.ask(same, timeout_seconds=DEADLINE_SECONDS) for _ in range(32))
        results = await asyncio.gather(*asked)
    await server.stop()
    assert [result.response for result in results] == [seats] * 32
    assert sum(len(call.request.items) for call in script.asked) < 32


async def test_a_read_that_is_too_large_for_a_batch_is_sent_by_itself() -> None:
    """A client would get 503 for a map that the service could send."""
    seats = bookings_pb2.Availability(event_id=5, total_seats=3, left=3)
    alone = bookings_pb2.GetAvailabilityResponse(availability=seats)

    def too_large(request: Request) -> Response:
        return Response(results=[Result(busy=True) for _ in request.items])

    script = Script({BATCH: too_large, "GetAvailability": lambda _: alone})
    async with batching(script) as client:
        answer = await client.get("/api/events/5/availability")
    assert answer.json()["left"] == 3


async def test_a_busy_write_without_a_lane_is_sent_by_itself() -> None:
    """A payment at a provider that is slow would hold up the others of its batch."""
    paid = payments_pb2.CreatePaymentResponse(payment=payments_pb2.Payment(user_id="guest"))

    def is_slow(request: Request) -> Response:
        return Response(results=[Result(busy=True) for _ in request.items])

    script = Script({BATCH: is_slow, "CreatePayment": lambda _: paid})
    async with batching(script) as client:
        body = {"booking_id": 5, "method": "card", "token": "tok_slow_500"}
        answer = await client.post("/api/payments", json=body)
    assert (answer.status_code, answer.json()["user_id"]) == (201, "guest")


async def test_a_method_that_is_not_batched_yet_is_called_alone() -> None:
    """During an upgrade payments would be refused as invalid by services of the former release."""
    former = ValidationFailed(violations=[Violation("method", "is not a batched method")])
    paid = payments_pb2.CreatePaymentResponse(payment=payments_pb2.Payment(user_id="guest"))

    def refuse_all(request: Request) -> Response:
        return Response(results=[refuse(former) for _ in request.items])

    script = Script({BATCH: refuse_all, "CreatePayment": lambda _: paid})
    async with batching(script) as client:
        body = {"booking_id": 5, "method": "card", "token": "tok_ok"}
        answer = await client.post("/api/payments", json=body)
    assert (answer.status_code, answer.json()["user_id"]) == (201, "guest")
    assert [call.rpc for call in script.asked] == [BATCH, "CreatePayment"]


async def test_a_reservation_waits_for_no_payment() -> None:
    """A rush of buyers who pay would slow down those who reserve."""
    settled = asyncio.Event()
    paid = payments_pb2.CreatePaymentResponse().SerializeToString()

    async def answer(request: Request) -> Response:
        if {item.method for item in request.items} == {RESERVE}:
            return granted(request)
        await settled.wait()
        return Response(results=[Result(response=paid) for _ in request.items])

    async with batching(Script({BATCH: answer})) as client:
        body = {"booking_id": 5, "method": "card", "token": "tok_ok"}
        paying = asyncio.create_task(client.post("/api/payments", json=body))
        for user in ("ada", "bob"):
            assert (await reserve(client, 2, user)).status_code == 201
        assert not paying.done()
        settled.set()
        assert (await paying).status_code == 201
