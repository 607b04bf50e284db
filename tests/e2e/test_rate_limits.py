"""Rate limits stop guesses of passwords and codes, and no other requests."""

import itertools
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import cloned
from tests.e2e.system import System

PASSWORD = "correct horse battery staple"
WRONG = "wrong horse battery staple"
LETTERS = {"/auth/send-code": {"type": "register"}, "/auth/forgot-password": {}}
_addresses = (f"192.0.2.{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def system(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs a system with the default limits; the tests take the part of its proxy."""
    settings = {"GATEWAY_RATE_LIMITS": "on", "GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("limited")
    with cloned(postgres) as database, System(database, folder, **settings) as running:  # type: ignore[arg-type]
        yield running


@pytest.fixture
def client(system: System) -> Iterator[httpx.Client]:
    """Returns a client of that system, with an address of its own."""
    with open_client(system) as opened:
        yield opened


@pytest.fixture
def elsewhere(system: System) -> Iterator[httpx.Client]:
    """Returns a client with another address."""
    with open_client(system) as opened:
        yield opened


def open_client(system: System) -> httpx.Client:
    """Opens a client with an address that no other has."""
    address = {"x-forwarded-for": next(_addresses)}
    return httpx.Client(base_url=system.url, headers=address, trust_env=False)


def register(client: httpx.Client) -> str:
    """Registers a user; returns the e-mail address."""
    email = f"{uuid4()}@example.com"
    body = {"name": "x", "email": email, "password": PASSWORD}
    answer = client.post("/api/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return email


def log_in(client: httpx.Client, email: str, password: str) -> int:
    """Tries to log in, by the two paths in turn."""
    path = "/auth/login" if password == WRONG else "/api/auth/login"
    return client.post(path, json={"email": email, "password": password}).status_code


def ask_for_letter(client: httpx.Client, path: str, email: str) -> httpx.Response:
    """Asks for a code to be mailed."""
    return client.post(path, json={"email": email, **LETTERS[path]})


def test_guesses_are_limited_without_locking_out_the_owner(
    client: httpx.Client, elsewhere: httpx.Client
) -> None:
    """Passwords could be guessed, or a guesser could lock out the owner."""
    ada, bob = register(client), register(client)
    for email in (ada, "nobody@example.com"):
        assert [log_in(client, email, WRONG) for _ in range(11)] == [401] * 10 + [429]
    assert log_in(client, ada.upper(), PASSWORD) == 429
    assert log_in(elsewhere, ada, PASSWORD) == 200
    assert log_in(client, bob, PASSWORD) == 200


def test_successful_log_ins_do_not_count_as_guesses(client: httpx.Client) -> None:
    """Successful log-ins could be counted as guesses."""
    ada = register(client)
    assert {log_in(client, ada, PASSWORD) for _ in range(15)} == {200}
    unreadable = {"email": ada, "password": 7}
    answers = [client.post("/auth/login", json=unreadable) for _ in range(15)]
    assert {answer.status_code for answer in answers} == {422}
    assert log_in(client, ada, PASSWORD) == 200


def test_requests_for_letters_are_limited(client: httpx.Client, elsewhere: httpx.Client) -> None:
    """One address could have any number of letters sent."""
    known, unknown = register(elsewhere), f"{uuid4()}@example.com"
    for path in LETTERS:
        asked = [ask_for_letter(client, path, f"{uuid4()}@example.com") for _ in range(60)]
        assert {answer.status_code for answer in asked} == {200}
        for email in (known, unknown):
            stopped = ask_for_letter(client, path, email)
            assert (stopped.status_code, stopped.json()) == (429, {"error": "rate_limited"})
            assert int(stopped.headers["retry-after"]) > 0
        assert ask_for_letter(elsewhere, path, f"{uuid4()}@example.com").status_code == 200


def test_looking_for_registered_addresses_is_limited(client: httpx.Client) -> None:
    """Registering could be used to find out who has an account."""
    body = {"name": "x", "email": register(client), "password": PASSWORD}
    statuses = [client.post("/api/auth/register", json=body).status_code for _ in range(21)]
    assert statuses == [409] * 20 + [429]
