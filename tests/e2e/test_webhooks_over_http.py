"""Webhooks over HTTP, from their creation to a change that arrives."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import Person, add_accounts
from tests.e2e.client import create_event, named, refusal, reserve
from tests.e2e.system import System, until
from tests.services.accounts.client import execute, read
from tests.services.bookings.webhooks.receiver import receiving

ARRIVES_SECONDS = 60


@pytest.fixture
def organizers(system: System) -> dict[str, Person]:
    """Returns two organizers without webhooks."""
    return add_accounts(system.database, {"owner": "ORGANIZER", "other": "ORGANIZER"})


@pytest.fixture
def owner(client: httpx.Client, organizers: dict[str, Person]) -> httpx.Client:
    """Returns the client with the token of an organizer."""
    client.headers["authorization"] = organizers["owner"].authorization
    return client


async def test_a_booking_reaches_its_receiver(
    owner: httpx.Client, organizers: dict[str, Person]
) -> None:
    """A worker could be missing, or the secret differ from the one that was shown."""
    user_id = organizers["owner"].id

    def book(url: str) -> tuple[dict[str, Any], httpx.Response]:
        created = owner.post("/api/webhooks", json={"url": url, "types": ["RESERVED"]})
        assert created.status_code == 201, created.text
        return created.json(), reserve(owner, create_event(owner)["id"], user_id)

    async with receiving() as receiver:
        webhook, booking = await asyncio.to_thread(book, receiver.url)
        assert booking.status_code == 201, booking.text
        async with asyncio.timeout(ARRIVES_SECONDS):
            await receiver.has_request.wait()
        receiver.verify(webhook["secret"])
        [change] = receiver.changes
        assert (change["type"], change["user_id"]) == ("RESERVED", user_id)
        assert change["booking_id"] == booking.json()["booking_id"]


async def test_the_owner_of_a_webhook_that_is_gone_gets_a_letter(
    system: System, owner: httpx.Client, organizers: dict[str, Person]
) -> None:
    """The worker could be missing, or accounts not know such letters."""
    user_id = organizers["owner"].id
    execute(system.database, "UPDATE accounts SET email_verified = true")

    def book(url: str) -> None:
        owner.post("/api/webhooks", json={"url": url, "types": ["RESERVED"]})
        reserve(owner, create_event(owner)["id"], user_id)

    def letters() -> list[Any]:
        return read(
            system.database,
            "SELECT account_id FROM notices WHERE kind = 'WEBHOOK_GONE'"
            " AND account_id = %(account_id)s AND webhook_url = %(url)s",
            account_id=user_id,
            url=receiver.url,
        )

    async with receiving(status=410) as receiver:
        await asyncio.to_thread(book, receiver.url)
        await asyncio.to_thread(until, lambda: len(letters()) == 1, system.log)


def test_a_secret_is_shown_once(owner: httpx.Client) -> None:
    """A stolen token could be used to forge requests to the receiver."""
    url = "http://127.0.0.1:9/nobody-listens"
    created = owner.post("/api/webhooks", json={"url": url}).json()
    path = f"/api/webhooks/{created['id']}"
    assert created["secret"].startswith("whsec_")
    rotated = owner.post(f"{path}/rotate-secret").json()
    assert rotated["secret"] not in {None, created["secret"]}
    changed = owner.patch(path, json={"status": "DISABLED", "types": ["HELD"]}).json()
    assert (changed["status"], changed["types"], changed["url"]) == ("DISABLED", ["HELD"], url)
    for shown in (changed, owner.get(path).json(), *owner.get("/api/webhooks").json()):
        assert "secret" not in shown
    assert owner.get(f"{path}/deliveries").json() == []
    assert owner.post(f"{path}/replay", json={"after": ""}).status_code == 200
    assert owner.delete(path).status_code == 204
    assert refusal(owner.get(path)) == (404, "webhook_not_found")


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "https://", "https://ada:secret@example.com", "https://e.com/#x"]
)
def test_a_url_that_nothing_can_be_sent_to_is_refused(owner: httpx.Client, url: str) -> None:
    """The owner would learn of it from a log of failures."""
    assert named(owner.post("/api/webhooks", json={"url": url})) == {"url"}


def test_an_account_has_ten_webhooks_at_most(
    client: httpx.Client, organizers: dict[str, Person]
) -> None:
    """One account could make us send any number of requests for each booking."""
    client.headers["authorization"] = organizers["other"].authorization
    body = {"url": "http://127.0.0.1:9/nobody-listens"}
    made = [client.post("/api/webhooks", json=body).status_code for _ in range(10)]
    assert set(made) == {201}
    assert refusal(client.post("/api/webhooks", json=body)) == (409, "too_many_webhooks")
