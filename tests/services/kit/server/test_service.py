import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest
from psycopg import AsyncConnection
from pydantic_settings import SettingsConfigDict

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from services.kit.auth import trusted_keys
from services.kit.auth.issuer import IssuerState
from services.kit.database.postgres import Pool, open_pool
from services.kit.process.settings import ServiceSettings
from services.kit.server.service import Service
from tests.conftest import Database
from tests.services.issuer import ScriptedIssuer, account
from tests.services.kit.serving import Script, nothing, scripted

SLOW_SECONDS = 0.05


class ServedSettings(ServiceSettings):
    """Settings of a service on any port."""

    model_config = SettingsConfigDict(env_prefix="SERVED_")
    database_url: str = "postgresql://served@localhost/served"
    listen: str = "127.0.0.1:0"


class SlowIssuer(ScriptedIssuer):
    """An issuer that takes longer than a token may wait."""

    async def state(self) -> IssuerState:
        """Answers after a while."""
        await asyncio.sleep(SLOW_SECONDS)
        return await super().state()


class SlowConnection(AsyncConnection[Any]):
    """A connection that takes longer than the first request."""

    connected = False

    @classmethod
    async def connect(cls, *args: Any, **named: Any) -> Any:
        """Connects after a while."""
        await asyncio.sleep(SLOW_SECONDS)
        connection = await super().connect(*args, **named)
        cls.connected = True
        return connection


@contextlib.asynccontextmanager
async def serving(
    issuer: ScriptedIssuer, pools: Sequence[Pool], script: Script = nothing
) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Serves; yields a function that calls the service with a token."""
    service, ada = Service(ServedSettings(), issuer), account("ada")
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(scripted(script), service.grpc)
    async with (
        service.serve(pools) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        reserve = bookings_pb2_grpc.BookingsServiceStub(channel).Reserve
        asked = bookings_pb2.ReserveRequest(event_id=1, user_id=ada)
        yield lambda: reserve(asked, metadata=issuer.bearer(ada))


async def test_a_service_has_the_keys_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that replaces another could refuse valid tokens during its first moments."""
    monkeypatch.setattr(trusted_keys, "WAIT_SECONDS", 0)
    async with serving(SlowIssuer(), []) as call:
        assert await call() == bookings_pb2.ReserveResponse()


async def test_a_service_is_connected_before_it_is_called(database: Database) -> None:
    """A replica that replaces another could refuse requests until its database has answered."""
    pool = open_pool(database.bookings_dsn, schema="bookings", size=2)
    pool.connection_class = SlowConnection
    SlowConnection.connected = False

    async def check(request: object, context: object) -> None:
        assert SlowConnection.connected

    async with pool, serving(ScriptedIssuer(), [pool], check) as call:
        assert await call() == bookings_pb2.ReserveResponse()
