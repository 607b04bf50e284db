import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from services.kit.rpc.errors import refusal_from_call
from tests.e2e.client import create_event, new_key, new_user, refusal, reserve
from tests.e2e.system import SERVICE_KEY, System

SECONDS = 30
SERVICE = (("authorization", f"Service {SERVICE_KEY}"),)
BUF = Path(sys.executable).parent / "buf"


@pytest.fixture
async def channel(system: System) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel to bookings."""
    async with grpc.aio.insecure_channel(system.bookings_targets[0]) as opened:
        yield opened


def find_bookings(client: httpx.Client, event_id: int) -> list[dict[str, Any]]:
    """Lists the bookings of an event over HTTP."""
    return list(client.get(f"/api/bookings/event/{event_id}").json())


async def buf_curl(target: str, *arguments: str) -> Any:
    """Calls an RPC by reflection, without a stub."""
    process = await asyncio.create_subprocess_exec(
        BUF,
        "curl",
        "--protocol=grpc",
        "--http2-prior-knowledge",
        *arguments[:-1],
        f"http://{target}{arguments[-1]}",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_a_seat_is_reserved_through_the_stub(
    client: httpx.Client, channel: grpc.aio.Channel
) -> None:
    """A key used over gRPC could book again over HTTP."""
    event, user, key = create_event(client), new_user(), new_key()
    stub = bookings_pb2_grpc.BookingsServiceStub(channel)
    asked = bookings_pb2.ReserveRequest(event_id=event["id"], user_id=user, request_id=key)
    made = await stub.Reserve(asked, timeout=SECONDS)
    assert (made.reservation.user_id, made.replayed) == (user, False)
    again = reserve(client, event["id"], user, headers={"Idempotency-Key": key})
    assert again.json()["booking_id"] == made.reservation.booking_id
    assert again.headers["idempotent-replayed"] == "true"
    assert int(again.headers["x-inventory-revision"]) == made.inventory_revision


async def test_a_refusal_names_its_reason(client: httpx.Client, channel: grpc.aio.Channel) -> None:
    """A gRPC client could get no reason, or another one than over HTTP."""
    event = create_event(client, 0)
    stub = bookings_pb2_grpc.BookingsServiceStub(channel)
    asked = bookings_pb2.ReserveRequest(event_id=event["id"], user_id="ada")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Reserve(asked, timeout=SECONDS)
    reason = refusal_from_call(refused.value)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason is not None
    assert (reason.reason, dict(reason.metadata)) == ("SOLD_OUT", {"inventory_revision": "1"})


async def test_services_check_the_rules_of_the_contract(
    channel: grpc.aio.Channel,
) -> None:
    """A client that calls a service directly could break the rules of the contract."""
    stub = bookings_pb2_grpc.BookingsServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Reserve(bookings_pb2.ReserveRequest(user_id="a\0b"), timeout=SECONDS)
    reason = refusal_from_call(refused.value)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason is not None
    assert {violation.path for violation in reason.violations} == {"event_id", "user_id"}


async def test_internal_rpcs_need_the_service_key(
    channel: grpc.aio.Channel, client: httpx.Client
) -> None:
    """An internal RPC could be called without the key of services."""
    event = create_event(client, 1)
    made = reserve(client, event["id"], "ada")
    stub = inventory_pb2_grpc.InventoryServiceStub(channel)
    asked = inventory_pb2.CancelBookingRequest(booking_id=made.json()["booking_id"])
    for metadata in ((), (("authorization", "Service wrong"),)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CancelBooking(asked, timeout=SECONDS, metadata=metadata)
        assert refused.value.code() in {
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.UNAUTHENTICATED,
        }
    assert refusal(reserve(client, event["id"], "bob")) == (409, "sold_out")
    await stub.CancelBooking(asked, timeout=SECONDS, metadata=SERVICE)
    [booking] = find_bookings(client, event["id"])
    assert booking["status"] == "CANCELLED"
    assert reserve(client, event["id"], "bob").status_code == 201
    assert refusal(reserve(client, event["id"], "ada")) == (409, "sold_out")


async def test_reflection_lists_the_services(system: System) -> None:
    """A client that uses reflection could find no services."""
    listed = await buf_curl(system.bookings_targets[0], "--list-methods", "")
    assert "boxoffice.bookings.v1.BookingsService/Reserve" in listed.split()
    listed = await buf_curl(system.events_target, "--list-methods", "")
    assert "boxoffice.events.v1.EventsService/CreateEvent" in listed.split()


async def test_a_seat_is_reserved_without_a_stub(client: httpx.Client, system: System) -> None:
    """The commands of the documentation could fail."""
    event = create_event(client)
    data = json.dumps({"event_id": event["id"], "user_id": "ada"})
    path = "/boxoffice.bookings.v1.BookingsService/Reserve"
    made = json.loads(await buf_curl(system.bookings_targets[0], "--data", data, path))
    assert made["reservation"]["userId"] == "ada"
    assert refusal(reserve(client, event["id"], "ada")) == (409, "already_booked")
