"""A client of events, and expectations of refusals."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.events.v1 import (
    catalogue_pb2,
    catalogue_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    movies_pb2_grpc,
    screenings_pb2_grpc,
    theaters_pb2_grpc,
)
from services.kit.rpc.errors import Refusal, refusal_from_call
from tests.conftest import Database
from tests.services.events.scripted import SERVICE_KEY

Metadata = tuple[tuple[str, str], ...]
SERVICE: Metadata = (("authorization", f"Service {SERVICE_KEY}"),)
DRAFT = events_pb2.EVENT_STATUS_DRAFT
PUBLISHED = events_pb2.EVENT_STATUS_PUBLISHED
CANCELLED = events_pb2.EVENT_STATUS_CANCELLED
COMPLETED = events_pb2.EVENT_STATUS_COMPLETED


class Client:
    """Calls events; raises a refusal as the Refusal that the service raised."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.events = events_pb2_grpc.EventsServiceStub(channel)
        self.catalogue = catalogue_pb2_grpc.CatalogueServiceStub(channel)
        self.movies = movies_pb2_grpc.MoviesServiceStub(channel)
        self.screenings = screenings_pb2_grpc.ScreeningsServiceStub(channel)
        self.theaters = theaters_pb2_grpc.TheatersServiceStub(channel)
        self.metadata: Metadata = ()

    async def create(self, *, request_id: str = "", **fields: Any) -> events_pb2.Event:
        """Creates an event, of 100 seats by default."""
        usual: dict[str, Any] = {"name": "Concert", "total_seats": 100}
        event = events_pb2.Event(**(usual | fields))
        request = events_pb2.CreateEventRequest(event=event, request_id=request_id)
        response: events_pb2.CreateEventResponse = await self.call(self.events.CreateEvent, request)
        return response.event

    async def initialize(
        self, key: str, total_tickets: int = 100, *, request_id: str = ""
    ) -> events_pb2.InitializeEventResponse:
        """Creates an event with a key, or finds it."""
        request = events_pb2.InitializeEventRequest(
            event_id=key, total_tickets=total_tickets, request_id=request_id
        )
        response: events_pb2.InitializeEventResponse = await self.call(
            self.events.InitializeEvent, request
        )
        return response

    async def get(self, event_id: int) -> events_pb2.Event:
        """Gets an event."""
        request = events_pb2.GetEventRequest(event_id=event_id)
        response: events_pb2.GetEventResponse = await self.call(self.events.GetEvent, request)
        return response.event

    async def list(self, **wanted: Any) -> list[events_pb2.Event]:
        """Lists a page of events."""
        request = events_pb2.ListEventsRequest(**wanted)
        return list((await self.call(self.events.ListEvents, request)).events)

    async def list_own(self, **wanted: Any) -> events_pb2.ListOrganizerEventsResponse:
        """Lists a page of the caller's own events."""
        request = events_pb2.ListOrganizerEventsRequest(**wanted)
        response: events_pb2.ListOrganizerEventsResponse = await self.call(
            self.events.ListOrganizerEvents, request
        )
        return response

    async def update(self, event_id: int, **wanted: Any) -> events_pb2.Event:
        """Changes the fields of an event; None clears one."""
        return (await self.respond(event_id, **wanted)).event

    async def respond(
        self, event_id: int, *, if_match: str = "", request_id: str = "", **fields: Any
    ) -> events_pb2.UpdateEventResponse:
        """Changes the fields of an event; returns the whole response."""
        given = {name: value for name, value in fields.items() if value is not None}
        request = events_pb2.UpdateEventRequest(
            event_id=event_id,
            event=events_pb2.Event(**given),
            update_mask=FieldMask(paths=list(fields)),
            if_match=if_match,
            request_id=request_id,
        )
        response: events_pb2.UpdateEventResponse = await self.call(self.events.UpdateEvent, request)
        return response

    async def delete(self, event_id: int, **wanted: Any) -> events_pb2.DeleteEventResponse:
        """Deletes an event; returns the whole response."""
        request = events_pb2.DeleteEventRequest(event_id=event_id, **wanted)
        response: events_pb2.DeleteEventResponse = await self.call(self.events.DeleteEvent, request)
        return response

    async def state(self, event: int | str, *, as_service: bool = True) -> catalogue_pb2.EventState:
        """Gets the state of an event by its id or its key, as bookings does."""
        if isinstance(event, int):
            request = catalogue_pb2.GetEventStateRequest(event_id=event)
        else:
            request = catalogue_pb2.GetEventStateRequest(key=event)
        metadata = SERVICE if as_service else ()
        response: catalogue_pb2.GetEventStateResponse = await self.call(
            self.catalogue.GetEventState, request, metadata
        )
        return response.state

    def be_service(self) -> None:
        """Calls as another service from now on."""
        self.metadata = SERVICE

    async def call(self, rpc: Any, request: Any, metadata: Metadata = ()) -> Any:
        """Calls an RPC; raises the Refusal that it returned."""
        try:
            return await rpc(request, timeout=10, metadata=metadata or self.metadata)
        except grpc.aio.AioRpcError as error:
            raise (refusal_from_call(error) or error) from None


class Refused:
    """The metadata and the violations of a refusal."""

    metadata: dict[str, str]
    paths: list[str]


@contextlib.contextmanager
def refused(reason: str) -> Iterator[Refused]:
    """Expects the block to raise a refusal with this reason; yields its metadata and fields."""
    refusal = Refused()
    with pytest.raises(Refusal) as caught:
        yield refusal
    assert caught.value.reason == reason, caught.value.violations
    refusal.metadata = dict(caught.value.metadata)
    refusal.paths = [violation.path for violation in caught.value.violations]


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Reads from the schema of events."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO events")
        return connection.execute(query.encode()).fetchall()


def change_rows(database: Database, statement: str) -> None:
    """Writes into the schema of events."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO events")
        connection.execute(statement.encode())


async def somebody_waits(database: Database) -> bool:
    """Returns whether a session waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return bool(rows(database, waiting))


async def eventually(holds: Callable[[], Awaitable[bool]], *, within_seconds: float = 5) -> None:
    """Waits until a condition holds; fails if it does not in time."""
    async with asyncio.timeout(within_seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)
