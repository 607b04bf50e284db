"""Sends secrets to a running system, then searches everything that it stores or logs."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.accounts import Person, key_of
from tests.e2e.client import new_key, open_client
from tests.e2e.system import SERVICE_KEY, System, until
from tests.processes import Process
from tests.services.accounts.client import execute
from tests.services.accounts.mailbox import Mailbox, serving

ADDRESS = "canary@example.com"
PASSWORDS = ("canary-of-a-password", "canary-of-the-next-password", "canary-of-a-wrong-password")
PEPPER = "canary-of-the-pepper-of-codes-that-are-mailed"
# The reason: docs/decisions/signing-keys-in-the-database.md.
KEPT_ON_PURPOSE = {"signing_keys"}
# Measured numbers, which may contain the six digits of a code by chance.
MEASURED = {"timestamp", "seconds"}


@pytest.fixture(scope="module")
def inbox() -> Iterator[Mailbox]:
    """Runs a mail server in a thread of its own."""
    ready: Future[Mailbox] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        async with serving() as mailbox:
            ready.set_result(mailbox)
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    yield ready.result(10)
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def watched(
    postgres: EmbeddedPostgres, inbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs a system that logs all it can, and mails its codes."""
    with (
        cloned(postgres) as database,
        System(
            database,
            tmp_path_factory.mktemp("watched"),
            ACCOUNTS_SMTP_URL=f"smtp://127.0.0.1:{inbox.port}",
            ACCOUNTS_CODE_PEPPER=PEPPER,
            ACCOUNTS_ORGANIZER_SIGN_UP="open",
            BOXOFFICE_LOG_LEVEL="DEBUG",
        ) as running,
    ):
        yield running


class User:
    """A user of the system; records every secret, and the body of every refusal."""

    def __init__(self, client: httpx.Client, inbox: Mailbox) -> None:
        self._client = client
        self._inbox = inbox
        self.secrets: set[str] = {SERVICE_KEY, PEPPER, *PASSWORDS}
        self.codes: set[str] = set()
        self.refusals: list[str] = []
        self.session: dict[str, Any] = {}

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Makes a request; records a session in the response."""
        response = self._client.request(method, path, **how)
        if response.is_error:
            self.refusals.append(response.text + str(response.headers))
        elif b"refresh_token" in response.content:
            self.session = response.json()
            self.secrets |= {self.session["refresh_token"], self.session["access_token"]}
        return response

    def read_code(self, letters: int) -> str:
        """Waits for so many letters; records and returns the code in the last one."""
        until(lambda: self._inbox.count(ADDRESS) >= letters)
        code = self._inbox.code(ADDRESS)
        self.codes.add(code)
        return code

    @property
    def bearer(self) -> dict[str, str]:
        """The `Authorization` header of the last log-in."""
        return {"Authorization": f"Bearer {self.session['access_token']}"}


def use_secrets_everywhere(user: User, database: Database) -> None:
    """Registers, logs in and books, with right and wrong secrets wherever one is accepted."""
    password, following, wrong = PASSWORDS
    ask = user.ask
    ask("POST", "/auth/send-code", json={"email": ADDRESS, "type": "register"})
    form = {"firstname": "Ada", "lastname": "Lovelace", "country": "England", "role": "ORGANIZER"}
    form |= {"email": ADDRESS, "password": password}
    code = user.read_code(1)
    other = "000000" if code != "000000" else "111111"
    ask("POST", "/auth/register", json=form | {"email_verification_code": other})
    ask("POST", "/auth/register", json=form | {"email_verification_code": code})
    ask("POST", "/auth/login", json={"email": ADDRESS, "password": wrong})
    ask("POST", "/auth/login", json={"email": ADDRESS, "password": password})
    # An address gets one code a minute.
    execute(database, "UPDATE codes SET asked_at = ARRAY[now() - interval '2 minutes']")
    ask("POST", "/auth/forgot-password", json={"email": ADDRESS})
    reset = {"email": ADDRESS, "code": user.read_code(2), "new_password": following}
    ask("POST", "/auth/reset-password", json=reset)
    ask("POST", "/api/auth/refresh", json={"refresh_token": user.session["refresh_token"]})
    me = ask("GET", "/auth/me", headers=user.bearer).json()
    key = key_of(database, Person(me["id"], "ORGANIZER", ""), "EVENTS_WRITE", "BOOKINGS_WRITE")
    user.secrets.add(key.rpartition("_")[2])
    misplace(user, [password, user.session["access_token"], key, code])
    for authorization in (user.bearer["Authorization"], key):
        headers = {"Authorization": authorization, "Idempotency-Key": new_key()}
        for _ in range(2):
            ask("POST", "/events", json={"name": "Gig", "total_seats": 2}, headers=headers)
    event = ask("GET", "/events/organizer/my-events", headers=user.bearer).json()["data"][0]
    seat = {"event_id": event["id"], "user_id": me["id"]}
    for authorization in (user.bearer["Authorization"], key):
        headers = {"Authorization": authorization, "Idempotency-Key": new_key()}
        ask("POST", "/api/bookings/reserve", json=seat, headers=headers)


def misplace(user: User, secrets: list[str]) -> None:
    """Puts secrets where none belong: into URLs, unknown fields, other fields and headers."""
    for secret in secrets:
        bare = secret.removeprefix("Bearer ")
        user.ask("GET", "/events", params={"access_token": bare})
        user.ask("POST", "/auth/login", json={"email": ADDRESS, "secret": bare})
        user.ask("POST", "/auth/login", json={"email": bare, "password": [bare]})
        user.ask("POST", "/auth/login", content=f'{{"password": "{bare}"')
        user.ask("GET", "/events", headers={"Authorization": f"Basic {bare}"})
        user.ask("GET", "/events", headers={"Authorization": f"Bearer {bare}x"})
        user.ask("POST", "/api/auth/refresh", json={"refresh_token": bare[:512]})


def printed(process: Process) -> Iterator[str]:
    """Returns the log of a process without measured numbers."""
    for line in process.log().splitlines():
        entry = json.loads(line) if line.startswith("{") else {"line": line}
        yield json.dumps({name: value for name, value in entry.items() if name not in MEASURED})


def kept(database: Database) -> Iterator[tuple[str, str]]:
    """Returns every text and every byte string in the database, with its table."""
    with psycopg.connect(database.owner_dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname IN ('accounts', 'bookings', 'events')"
        ).fetchall()
        for schema, table in tables:
            everything = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
            for row in connection.execute(everything):
                for value in row:
                    yield table, value.decode("latin-1") if isinstance(value, bytes) else str(value)


def signing_keys(database: Database) -> set[str]:
    """Reads the private keys as text."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute("SELECT private_key FROM accounts.signing_keys").fetchall()
    return {spelling for (key,) in rows for spelling in (key.decode("latin-1"), key.hex())}


def test_no_secret_is_kept_or_printed(watched: System, inbox: Mailbox) -> None:
    """A password, code, token or key could be stored or logged."""
    with open_client(watched.url) as client:
        user = User(client, inbox)
        use_secrets_everywhere(user, watched.database)
    secrets = user.secrets | signing_keys(watched.database)
    secrets |= {secret.rpartition(".")[2] for secret in secrets if secret.startswith("ey")}
    assert len(secrets) >= 12
    assert len(user.codes) == 2
    assert len(user.refusals) >= 20
    for process in watched.processes:
        lines = "\n".join(printed(process))
        assert lines, process.name
        assert not found(secrets | user.codes, lines), process.name
    for refusal in user.refusals:
        assert not found(secrets, refusal)
    for table, value in kept(watched.database):
        assert table in KEPT_ON_PURPOSE or not found(secrets, value), table
        assert value not in user.codes, table


def test_the_search_finds_what_is_there(watched: System) -> None:
    """Control of the test above: a search that finds nothing proves nothing."""
    name = "canary-that-may-be-kept"
    with open_client(watched.url) as client:
        created = client.post("/events", json={"name": name, "total_seats": 1})
        assert created.status_code == 201
    tables = {table for table, value in kept(watched.database) if found({name}, value)}
    assert tables == {"events", "inventory"}


def found(secrets: set[str], text: str) -> set[str]:
    """Returns the secrets that a text contains."""
    return {secret for secret in secrets if secret in text}
