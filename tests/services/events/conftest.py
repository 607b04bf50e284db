"""Events served on a database of its own, beside bookings that the test scripts."""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import grpc
import pytest

from boxoffice.bookings.v1 import bookings_pb2_grpc, inventory_pb2_grpc
from services.events.__main__ import serving
from services.events.events import messages
from services.events.events.bookings_client import BookingsClient
from services.events.events.changes import Changes
from services.events.events.events import Events
from services.events.idempotency import Idempotency
from services.events.settings import Settings
from services.kit.database import postgres
from services.kit.database.postgres import Pool
from services.kit.server import server
from tests.conftest import Database
from tests.pools import PATIENCE_SECONDS, patient_pool
from tests.services.events.client import Client
from tests.services.events.scripted import SERVICE_KEY, ScriptedBookings
from tests.services.issuer import ScriptedIssuer, serve_identity

Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def bookings() -> ScriptedBookings:
    """Returns scripted bookings that know no event."""
    return ScriptedBookings()  # type: ignore[abstract]


@pytest.fixture
async def bookings_target(bookings: ScriptedBookings) -> AsyncIterator[str]:
    """Serves the scripted bookings; yields the target."""
    served = grpc.aio.server()
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(bookings, served)
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(bookings, served)
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    yield f"127.0.0.1:{port}"
    await served.stop(None)


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Returns the issuer of tokens and API keys."""
    return ScriptedIssuer()


@pytest.fixture
async def accounts_target(issuer: ScriptedIssuer) -> AsyncIterator[str]:
    """Serves the issuer; yields the target."""
    served, target = await serve_identity(issuer)
    yield target
    await served.stop(None)


@pytest.fixture
def serve(
    database: Database,
    bookings_target: str,
    accounts_target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Serve:
    """Returns a function that serves events, by default with open access."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)
    # A machine that is busy has no connection for requests in parallel in time.
    patient = functools.partial(postgres.open_pool, patience_seconds=PATIENCE_SECONDS)
    monkeypatch.setattr(postgres, "open_pool", patient)

    @contextlib.asynccontextmanager
    async def served(*, open_access: bool = True, target: str = "") -> AsyncIterator[Client]:
        settings = Settings(
            database_url=database.events_dsn,
            listen="127.0.0.1:0",
            bookings_target=target or bookings_target,
            accounts_target=accounts_target,
            BOXOFFICE_OPEN_ACCESS=open_access,
            BOXOFFICE_SERVICE_KEY=SERVICE_KEY,
        )
        async with (
            serving(settings) as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield Client(channel)

    return served


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Client]:
    """Serves events; yields a client without a token."""
    async with serve() as served:
        yield served


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool as the service's own role."""
    async with patient_pool(database.events_dsn, schema="events", size=4) as opened:
        yield opened


@pytest.fixture
async def bookings_client(bookings_target: str) -> AsyncIterator[BookingsClient]:
    """Opens a client of the scripted bookings."""
    async with grpc.aio.insecure_channel(bookings_target) as channel:
        yield BookingsClient(channel, SERVICE_KEY)


@pytest.fixture
def events(pool: Pool, bookings_client: BookingsClient) -> Events:
    """Returns Events without a server."""
    return Events(pool, bookings_client, Idempotency(pool, messages.RESPONSES))


@pytest.fixture
def changes(pool: Pool, bookings_client: BookingsClient) -> Changes:
    """Returns Changes without a server."""
    return Changes(pool, bookings_client, Idempotency(pool, messages.RESPONSES))
