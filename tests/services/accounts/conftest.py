"""Accounts served on a database of its own."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest

from services.accounts.__main__ import serving
from services.accounts.settings import Settings
from services.accounts.signing_keys import SigningKeys
from services.kit import server
from services.kit.postgres import Pool, open_pool
from tests.conftest import Database
from tests.services.accounts.client import SERVICE_KEY, Client

Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve(database: Database, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Gives what serves accounts with the settings given."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)

    @contextlib.asynccontextmanager
    async def served(**named: Any) -> AsyncIterator[Client]:
        settings = Settings(
            database_url=database.accounts_dsn,
            listen="127.0.0.1:0",
            BOXOFFICE_SERVICE_KEY=SERVICE_KEY,
            **named,
        )
        async with (
            serving(settings) as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield Client(channel)

    return served


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Client]:
    """Serves accounts and gives a client that is another service."""
    async with serve() as served:
        yield served


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool as the service's own role."""
    async with open_pool(database.accounts_dsn, schema="accounts", size=4) as opened:
        yield opened


@pytest.fixture
def signing_keys(pool: Pool) -> SigningKeys:
    """Gives the noun without a server around it."""
    return SigningKeys(pool)
