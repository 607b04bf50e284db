"""Runs events and bookings as processes, with clients of both."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import grpc
import psycopg
from psycopg.rows import TupleRow

from boxoffice.bookings.v1 import (
    bookings_pb2,
    bookings_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    live_pb2_grpc,
    payments_pb2,
    payments_pb2_grpc,
    seats_pb2,
    seats_pb2_grpc,
    waiting_list_pb2,
    waiting_list_pb2_grpc,
)
from services.kit.rpc.errors import refusal_from_call
from tests.conftest import Database
from tests.e2e.system import free_ports
from tests.processes import Process
from tests.services.bookings.conftest import drift
from tests.services.events.client import SERVICE, Client, eventually
from tests.services.events.scripted import SERVICE_KEY

CONSISTENT_SECONDS = 60
CALL_SECONDS = 30

_RECONNECT_AT_ONCE = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 20),
    # Not shared, since the channel of another test may be in its backoff for this port.
    ("grpc.use_local_subchannel_pool", 1),
]


class Buyer:
    """Calls bookings; raises its refusals as `Refusal`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.bookings = bookings_pb2_grpc.BookingsServiceStub(channel)
        self.inventory = inventory_pb2_grpc.InventoryServiceStub(channel)
        self.waiting_list = waiting_list_pb2_grpc.WaitingListServiceStub(channel)
        self.seats = seats_pb2_grpc.SeatsServiceStub(channel)
        self.live = live_pb2_grpc.LiveServiceStub(channel)
        self.payments = payments_pb2_grpc.PaymentsServiceStub(channel)

    async def reserve(self, event_id: int, user_id: str, request_id: str = "") -> int:
        """Books a seat; returns the id of the booking."""
        request = bookings_pb2.ReserveRequest(
            event_id=event_id, user_id=user_id, request_id=request_id
        )
        response = await self._call(self.bookings.Reserve, request)
        return int(response.reservation.booking_id)

    async def cancel(self, booking_id: int) -> None:
        """Cancels a booking."""
        request = inventory_pb2.CancelBookingRequest(booking_id=booking_id)
        await self._call(self.inventory.CancelBooking, request)

    async def reference(self, booking_id: int) -> str:
        """Returns the reference of a booking."""
        request = bookings_pb2.GetBookingRequest(booking_id=booking_id)
        return str((await self._call(self.bookings.GetBooking, request)).booking.reference)

    async def cancel_by_reference(self, reference: str, request_id: str) -> Any:
        """Cancels a booking by its reference."""
        request = bookings_pb2.CancelBookingByReferenceRequest(
            reference=reference, request_id=request_id
        )
        return await self._call(self.bookings.CancelBookingByReference, request)

    async def book(self, key: str, user_id: str, request_id: str = "") -> Any:
        """Books a seat of an event by its key, or waits for one."""
        request = waiting_list_pb2.BookRequest(event_id=key, user_id=user_id, request_id=request_id)
        return await self._call(self.waiting_list.Book, request)

    async def hold(self, event_id: int, user_id: str, seat_ids: list[int], request_id: str) -> Any:
        """Holds seats of a screening; returns the reservation."""
        request = seats_pb2.HoldSeatsRequest(
            screening_id=event_id, user_id=user_id, seat_ids=seat_ids, request_id=request_id
        )
        return (await self._call(self.seats.HoldSeats, request)).reservation

    async def pay(self, booking_id: int, request_id: str) -> Any:
        """Pays for a booking in the sandbox; returns the payment."""
        request = payments_pb2.CreatePaymentRequest(
            booking_id=booking_id, method="card", token="tok_ok", request_id=request_id
        )
        return (await self._call(self.payments.CreatePayment, request)).payment

    async def payment(self, payment_id: str) -> Any:
        """Gets a payment."""
        request = payments_pb2.GetPaymentRequest(payment_id=payment_id)
        return (await self._call(self.payments.GetPayment, request)).payment

    async def cancel_by_key(self, key: str, user_id: str, request_id: str) -> Any:
        """Cancels what a user has of an event, by its key."""
        request = waiting_list_pb2.CancelRequest(
            event_id=key, user_id=user_id, request_id=request_id
        )
        return await self._call(self.waiting_list.Cancel, request)

    async def _call(self, rpc: Any, request: Any) -> Any:
        try:
            return await rpc(request, timeout=CALL_SECONDS, metadata=SERVICE)
        except grpc.aio.AioRpcError as error:
            raise (refusal_from_call(error) or error) from None


class TwoServices:
    """Events and bookings, on one database unless `catalogue` is another one for events.

    `settings` are further environment variables of both.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        catalogue: Database | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.database = database
        self.catalogue = catalogue or database
        ports = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.events_target, self.bookings_target = ports
        shared = {
            "BOXOFFICE_OPEN_ACCESS": "true",
            "BOXOFFICE_SERVICE_KEY": SERVICE_KEY,
            "BOOKINGS_RECONCILE_SECONDS": "3600",
            "EVENTS_DATABASE_URL": self.catalogue.events_dsn,
            "EVENTS_LISTEN": self.events_target,
            "EVENTS_BOOKINGS_TARGET": self.bookings_target,
            "BOOKINGS_DATABASE_URL": database.bookings_dsn,
            "BOOKINGS_LISTEN": self.bookings_target,
            "BOOKINGS_EVENTS_TARGET": self.events_target,
            **(settings or {}),
        }
        self.events = Process("events", "services.events", shared, folder / "events.log")
        self.bookings = Process("bookings", "services.bookings", shared, folder / "bookings.log")
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.callback(self.bookings.kill)
        self._stack.callback(self.events.kill)
        for process in (self.events, self.bookings):
            process.start()
        self.organizer = Client(await self._channel(self.events_target))
        self.buyer = Buyer(await self._channel(self.bookings_target))
        await self.wait_until_serving()
        self.probe = (await self.organizer.create(name="Probe")).id
        await self.wait_until_connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def wait_until_serving(self) -> None:
        """Waits until both accept connections."""
        for target in (self.events_target, self.bookings_target):
            async with (
                asyncio.timeout(CALL_SECONDS),
                grpc.aio.insecure_channel(target, options=_RECONNECT_AT_ONCE) as channel,
            ):
                await channel.channel_ready()

    async def wait_until_connected(self) -> None:
        """Waits until both accept connections and events can call bookings."""
        await self.wait_until_serving()
        await eventually(self._events_reaches_bookings, within_seconds=CONSISTENT_SECONDS)

    async def restart(self, process: Process, **settings: str) -> None:
        """Kills a process and starts it with these settings."""
        process.kill()
        process.start(**settings)
        await self.wait_until_connected()

    async def wait_until_consistent(self, *, within_seconds: float = CONSISTENT_SECONDS) -> None:
        """Waits until both sides have the same state of every event, and nothing is pending."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_seconds
        while found := self.disagreements():
            logs = f"{self.events.log()[-4000:]}\n{self.bookings.log()[-4000:]}"
            assert loop.time() < deadline, f"{found}\n{logs}"
            await asyncio.sleep(0.02)  # the condition is in another process, which sets no event
        assert drift(self.database) == []

    def disagreements(self) -> set[object]:
        """Returns the differences between the two sides, and the pending changes."""
        catalogue = self.read_events("""
            SELECT events.id, revision, total_seats, status, deleted_at IS NOT NULL, epoch
            FROM events, head
        """)
        stock = self.read_bookings("""
            SELECT event_id, catalogue_rev, capacity, status, deleted, epoch
            FROM inventory
            WHERE verdict = 'APPLIED'
        """)
        place = self.read_bookings("SELECT epoch, sequence FROM following")
        pending = self.read_events("SELECT event_id, changes::text FROM intents")
        # A closed event is gone through once more, for the payments to refund.
        unrefunded = self.read_bookings("""
            SELECT event_id, 'unrefunded'
            FROM inventory
            WHERE closed_at IS NOT NULL AND NOT refunds_written
        """)
        head = self.read_events("SELECT epoch, sequence FROM head")
        return {*catalogue} ^ {*stock} | {*place} ^ {*head} | {*pending, *unrefunded}

    def read_events(self, query: str, *values: object) -> list[TupleRow]:
        """Reads from the schema of events, as its owner."""
        return _read(self.catalogue.owner_dsn, "events", query, values)

    def read_bookings(self, query: str, *values: object) -> list[TupleRow]:
        """Reads from the schema of bookings, as its owner."""
        return _read(self.database.owner_dsn, "bookings", query, values)

    async def _events_reaches_bookings(self) -> bool:
        return (await self.organizer.get(self.probe)).HasField("available_seats")

    async def _channel(self, target: str) -> grpc.aio.Channel:
        channel = grpc.aio.insecure_channel(target, options=_RECONNECT_AT_ONCE)
        return await self._stack.enter_async_context(channel)


def _read(dsn: str, schema: str, query: str, values: tuple[object, ...]) -> list[TupleRow]:
    with psycopg.connect(dsn, options=f"-c search_path={schema}") as connection:
        return connection.execute(query.encode(), values).fetchall()
