import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.client import new_user, open_client
from tests.e2e.system import System, free_ports, until
from tests.services.accounts.client import pass_time
from tests.services.accounts.mailbox import Mailbox

PASSWORD = "correct horse battery staple"
REVOKED_WITHIN_SECONDS = 30


@dataclass
class MailedSystem:
    """A running system, and its mail server."""

    system: System
    inbox: Mailbox


@dataclass
class Person:
    """A user with an address and, once logged in, a session; records all secrets."""

    mailed: MailedSystem
    client: httpx.Client
    email: str = field(default_factory=lambda: f"{new_user()}@example.com")
    session: dict[str, Any] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=lambda: [PASSWORD])

    def ask(self, method: str, path: str, *, status: int, **body: Any) -> Any:
        """Makes a request with the access token; returns the body of the response."""
        token = self.session.get("access_token")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = self.client.request(method, path, json=body or None, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        shown = answer.json() if answer.content else None
        if shown and "refresh_token" in shown:
            self.session = shown
            self.secrets += [shown["access_token"], shown["refresh_token"]]
        return shown

    def code(self, *, letters: int = 1) -> str:
        """Waits for so many letters; returns the code in the last one."""
        inbox = self.mailed.inbox
        until(lambda: inbox.count(self.email) >= letters, self.mailed.system.accounts.log)
        self.secrets.append(inbox.code(self.email))
        return self.secrets[-1]

    def register(self, **fields: Any) -> Any:
        """Registers with a code; returns the user."""
        self.ask("POST", "/auth/send-code", status=200, email=self.email, type="register")
        form = {"firstname": "Ada", "lastname": "Lovelace", "country": "England"} | fields
        code = {"emailVerificationCode": self.code()}
        known = {"email": self.email, "password": PASSWORD}
        return self.ask("POST", "/auth/register", status=201, **form, **code, **known)["user"]


@pytest.fixture(scope="module")
def mailed(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MailedSystem]:
    """Runs a system with a mail server."""
    inbox = Mailbox()
    [port] = free_ports(1)
    mail = Controller(inbox, hostname="127.0.0.1", port=port)
    folder: Path = tmp_path_factory.mktemp("mailed")
    settings = {
        "ACCOUNTS_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "ACCOUNTS_ORGANIZER_SIGN_UP": "open",
        "BOXOFFICE_LOG_LEVEL": "DEBUG",
    }
    with contextlib.ExitStack() as stack:
        mail.start()
        stack.callback(mail.stop)
        database = stack.enter_context(cloned(postgres))
        system = System(database, folder, **settings)  # type: ignore[arg-type]
        yield MailedSystem(stack.enter_context(system), inbox)


@pytest.fixture
def ada(mailed: MailedSystem) -> Iterator[Person]:
    """Returns a user without an account."""
    with open_client(mailed.system.url) as client:
        yield Person(mailed, client)


def test_registering_with_a_code_gives_a_session(ada: Person) -> None:
    """A new user could get a token that some service does not accept yet."""
    user = ada.register(role="ORGANIZER")
    assert ada.session == {
        "access_token": ada.session["access_token"],
        "accessToken": ada.session["access_token"],
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": ada.session["refresh_token"],
        "refreshToken": ada.session["refresh_token"],
        "user": {
            "id": user["id"],
            "name": "Ada Lovelace",
            "firstname": "Ada",
            "lastname": "Lovelace",
            "email": ada.email,
            "role": "ORGANIZER",
            "email_verified": True,
        },
    }
    event = ada.ask("POST", "/events", status=201, name="Concert", total_seats=3)
    assert event["organizer_id"] == user["id"]


def test_logging_in_refreshing_and_logging_out(ada: Person) -> None:
    """A refresh token that was stolen and used could go on working."""
    ada.ask("POST", "/api/auth/register", status=201, name="A", email=ada.email, password=PASSWORD)
    assert ada.session["user"]["email_verified"] is False
    for path in ("/auth/login", "/api/auth/login"):
        ada.ask("POST", path, status=200, email=ada.email, password=PASSWORD)
    first = ada.session["refresh_token"]
    second = ada.ask("POST", "/api/auth/refresh", status=200, refreshToken=first)["refresh_token"]
    ada.ask("POST", "/api/auth/refresh", status=200, refresh_token=second)
    refused = ada.ask("POST", "/api/auth/refresh", status=401, refresh_token=first)
    assert refused == {"error": "invalid_token"}
    current = ada.session["refresh_token"]
    assert ada.ask("POST", "/auth/logout", status=204, refresh_token=current) is None
    ada.ask("POST", "/api/auth/refresh", status=401, refresh_token=current)
    wrong = ada.ask("POST", "/auth/login", status=401, email=ada.email, password="wrong")
    assert wrong == {"error": "invalid_credentials"}


def test_a_profile_is_read_edited_and_put_back(ada: Person) -> None:
    """A client that sends a profile back could change a read-only field, or be refused."""
    user = ada.register()
    shown = ada.ask("GET", "/auth/me", status=200)
    assert shown == user | {"country": "England"}
    changed = ada.ask("PATCH", "/auth/me", status=200, **shown | {"firstname": "Augusta"})
    assert (changed["name"], changed["country"]) == ("Augusta Lovelace", "England")
    for field_name, value in (("role", "ADMIN"), ("email", "x@example.com"), ("id", "acct_x")):
        refused = ada.ask("PATCH", "/auth/me", status=422, **{field_name: value})
        assert [detail["path"] for detail in refused["details"]] == [field_name]
    assert ada.ask("PATCH", "/auth/me", status=200, country=None)["country"] is None


def test_a_known_address_cannot_be_told_from_others(ada: Person, mailed: MailedSystem) -> None:
    """A response could reveal who has an account."""
    ada.register()
    pass_time(mailed.system.database, "1 minute")
    known, unknown = ada.email, f"{new_user()}@example.com"
    ada.session = {}
    form = {"firstname": "Eve", "lastname": "E", "password": PASSWORD, "country": "X"}
    code = {"code": "000000"}
    asked: list[tuple[str, int, dict[str, Any]]] = [
        ("/auth/login", 401, {"password": "not the one"}),
        ("/auth/send-code", 200, {"type": "register"}),
        ("/auth/send-code", 429, {"type": "register"}),
        ("/auth/register", 422, form | code),
        ("/auth/forgot-password", 429, {}),
        ("/auth/reset-password", 422, code | {"new_password": PASSWORD}),
    ]
    for path, status, body in asked:
        answers = [ada.ask("POST", path, status=status, email=e, **body) for e in (known, unknown)]
        assert answers[0] == answers[1], path


def test_leaving_keeps_the_bookings_and_not_the_person(ada: Person) -> None:
    """A deleted account could free its seats, or leave personal data behind."""
    user = ada.register(role="ORGANIZER")
    event = ada.ask("POST", "/events", status=201, name="Concert", total_seats=3)["id"]
    ada.ask("POST", "/api/bookings/reserve", status=201, event_id=event)
    ada.ask("DELETE", "/auth/me", status=204)
    with psycopg.connect(ada.mailed.system.database.owner_dsn) as connection:
        assert ada.email not in everything(connection)
        found = connection.execute("SELECT user_id FROM bookings.bookings").fetchall()
    assert (user["id"],) in found
    ada.ask("GET", "/auth/me", status=401)


def test_logging_out_everywhere_is_known_everywhere(ada: Person) -> None:
    """A service could accept a token for more than half a minute after the log-out."""
    ada.register(role="ORGANIZER")
    event = ada.ask("POST", "/events", status=201, name="Concert", total_seats=3)["id"]
    ada.ask("POST", "/auth/logout-all", status=204)
    headers = {"authorization": f"Bearer {ada.session['access_token']}"}

    def is_refused() -> bool:
        body = {"event_id": event}
        answers = (
            ada.client.post("/api/bookings/reserve", json=body, headers=headers),
            ada.client.patch(f"/events/{event}", json={"name": "Gig"}, headers=headers),
            ada.client.get("/auth/me", headers=headers),
        )
        return all(answer.status_code == 401 for answer in answers)

    until(is_refused, ada.mailed.system.log, seconds=REVOKED_WITHIN_SECONDS)


def test_a_password_and_an_address_are_replaced(ada: Person, mailed: MailedSystem) -> None:
    """A password or an address could be replaced without a mailed code."""
    ada.register()
    pass_time(mailed.system.database, "1 minute")
    new_password = f"canary {new_user()}"
    ada.secrets.append(new_password)
    ada.ask("POST", "/auth/forgot-password", status=200, email=ada.email)
    code = ada.code(letters=2)
    ada.ask(
        "POST",
        "/auth/reset-password",
        status=200,
        email=ada.email,
        code=code,
        newPassword=new_password,
    )
    former, ada.email = ada.email, f"{new_user()}@example.com"
    asked = ada.ask(
        "POST", "/auth/change-email", status=200, email=ada.email, password=new_password
    )
    assert (asked["email"], asked["changed"]) == (former, False)
    changed = ada.ask("POST", "/auth/change-email", status=200, email=ada.email, code=ada.code())
    assert changed["email"] == ada.email
    until(lambda: mailed.inbox.count(former) == 4, mailed.system.accounts.log)
    assert_kept_secret(mailed.system, ada.secrets)


def assert_kept_secret(system: System, secrets: list[str]) -> None:
    """Fails if a secret is in a line of a log, or in a row of a table."""
    with psycopg.connect(system.database.owner_dsn) as connection:
        texts = {"the database": everything(connection), "the logs": system.log()}
    codes = [secret for secret in secrets if re.fullmatch(r"\d{6}", secret)]
    assert len(codes) == 3
    for place, text in texts.items():
        for secret in secrets:
            # Times and durations have six decimal digits, which may equal a code.
            pattern = rf"(?<![.\d]){secret}(?!\d)" if secret in codes else re.escape(secret)
            assert not re.search(pattern, text), f"{secret} is in {place}"


def everything(connection: psycopg.Connection) -> str:
    """Reads all rows of all tables."""
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables"
        " WHERE schemaname IN ('accounts', 'events', 'bookings')"
    ).fetchall()
    rows = [
        str(row)
        for schema, table in tables
        for row in connection.execute(f"SELECT t::text FROM {schema}.{table} AS t".encode())
    ]
    return "\n".join(rows)


def test_the_search_for_secrets_finds_them(database: Database) -> None:
    """Negative control: the search could be unable to find any secret."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(
            "INSERT INTO accounts.outbox (canonical_email, email, letter, asked_at, due_at)"
            " VALUES ('a', 'a', 'code 123456', now(), now())"
        )
        found = everything(connection)
    assert re.search(r"(?<![.\d])123456(?!\d)", found)
