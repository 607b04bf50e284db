"""Accounts served on a database of its own."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher

from boxoffice.accounts.v1 import accounts_pb2_grpc
from services.accounts.__main__ import serving
from services.accounts.credentials.codes import Codes
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.mail.mailer import Mailer
from services.accounts.people.people import People
from services.accounts.people.registrations import OrganizerSignUp
from services.accounts.settings import Settings
from services.kit.database.postgres import Pool
from services.kit.server import server
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.accounts import mailbox
from tests.services.accounts.client import SERVICE_KEY, Client
from tests.services.accounts.delivery import Delivery
from tests.services.accounts.mailbox import Mailbox
from tests.services.accounts.user_client import UserClient

Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve(database: Database, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Returns a context manager that serves accounts with the settings given."""
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
    """Serves accounts to another service."""
    async with serve() as served:
        yield served


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool as the service's own role."""
    async with patient_pool(database.accounts_dsn, schema="accounts", size=4) as opened:
        yield opened


@pytest.fixture
def signing_keys(pool: Pool) -> SigningKeys:
    """Signing keys without a server."""
    return SigningKeys(pool)


QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes that guard nothing, for tests that are about something else."""


@pytest.fixture
async def inbox() -> AsyncIterator[Mailbox]:
    """Runs a mail server."""
    async with mailbox.serving() as served:
        yield served


@pytest.fixture
async def user_client(serve: Serve, inbox: Mailbox) -> AsyncIterator[UserClient]:
    """Serves accounts with open sign-up to a user without a token."""
    url = f"smtp://127.0.0.1:{inbox.port}"
    async with serve(smtp_url=url, organizer_sign_up="open") as served:
        yield UserClient(accounts_pb2_grpc.AccountsServiceStub(served.channel), inbox)


@pytest.fixture
def codes(pool: Pool) -> Codes:
    """Codes without a server."""
    return Codes(pool, b"pepper")


@pytest.fixture
def mailer(pool: Pool, codes: Codes, inbox: Mailbox) -> Mailer:
    """A mailer that sends when the test calls it."""
    return Mailer(pool, codes, server=inbox.server, sender="Boxoffice <boxoffice@example.com>")


@pytest.fixture
def delivery(mailer: Mailer, inbox: Mailbox) -> Delivery:
    """Delivers e-mails to the inbox."""
    return Delivery(mailer, inbox)


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """Passwords whose hashes cost next to nothing."""
    async with Passwords(QUICK) as opened:
        yield opened


@pytest.fixture
def people(pool: Pool, codes: Codes, passwords: Passwords) -> People:
    """The use cases without a server; organizer sign-up is open."""
    return People.of(pool, codes, passwords, OrganizerSignUp.OPEN)
