"""The feed of changes over HTTP, as a program of an organizer follows it."""

import asyncio

import httpx
import pytest

from tests.e2e.accounts import Person, add_accounts
from tests.e2e.client import TIMEOUT_SECONDS, create_event, refusal, reserve
from tests.e2e.system import System


@pytest.fixture
def organizer(system: System) -> Person:
    """Returns an organizer without events."""
    return add_accounts(system.database, {"organizer": "ORGANIZER"})["organizer"]


async def test_a_booking_reaches_a_program_that_waits(
    system: System, client: httpx.Client, organizer: Person
) -> None:
    """The body would be cut off at the deadline of other requests, or come only at its end."""
    client.headers["authorization"] = organizer.authorization
    event = create_event(client)["id"]
    seen, after = [], ""
    async with httpx.AsyncClient(
        base_url=system.url, headers=client.headers, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as program:
        while "OPENED" not in seen:
            page = (await program.get("/api/changes", params={"wait": 20, "after": after})).json()
            seen += [change["type"] for change in page["changes"]]
            after = page["next_cursor"]
        waiting = f"/api/changes?wait=20&after={after}&types=RESERVED"
        async with program.stream("GET", waiting) as response:
            assert (response.status_code, response.headers["content-type"]) == (
                200,
                "application/json",
            )
            booking = await asyncio.to_thread(reserve, client, event, organizer.id)
            await response.aread()
    [change] = response.json()["changes"]
    assert change["event_id"] == event
    assert change["booking_id"] == booking.json()["booking_id"]


def test_a_broken_cursor_is_refused(client: httpx.Client, organizer: Person) -> None:
    """A program would start again with all changes of 30 days."""
    client.headers["authorization"] = organizer.authorization
    assert refusal(client.get("/api/changes?after=x")) == (400, "invalid_page_token")
    assert refusal(client.get("/api/changes?types=SOLD")) == (422, "validation_error")
