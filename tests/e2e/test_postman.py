"""The walk of the Postman collection, against a running system."""

import asyncio
import json
from pathlib import Path

import httpx

from tests.e2e import postman
from tests.e2e.conftest import Start
from tests.services.accounts.mailbox import serving

FILE = Path(__file__).parents[2] / "docs/postman/boxoffice.postman_collection.json"
MAIL_SECONDS = 20


async def test_the_walk_leads_from_a_letter_to_a_cancelled_booking(start: Start) -> None:
    """Each request has what the ones before it found out; only the code comes from the letter."""
    collection = json.loads(FILE.read_text(encoding="utf-8"))
    walk = collection["item"][0]["item"]
    async with serving() as mailbox:
        system = start(
            ACCOUNTS_SMTP_URL=f"smtp://127.0.0.1:{mailbox.port}",
            ACCOUNTS_ORGANIZER_SIGN_UP="open",
            BOXOFFICE_OPEN_ACCESS="false",
            GATEWAY_RATE_LIMITS="on",
        )
        with httpx.Client(trust_env=False) as client:
            variables = postman.variables(collection) | {"base_url": system.url}
            runner = postman.Runner(client, collection["auth"], variables)
            runner.run(walk[0])
            async with asyncio.timeout(MAIL_SECONDS):
                while not mailbox.count(variables["email"]):  # noqa: ASYNC110 - it comes by SMTP
                    await asyncio.sleep(0.05)
            variables["code"] = mailbox.code(variables["email"])
            *_, listed, cancelled = [runner.run(item) for item in walk[1:]]
    [booking] = listed.json()["data"]
    assert booking["reference"] == variables["reference"] == cancelled.json()["reference"]
    assert (booking["seat_count"], cancelled.json()["status"]) == (2, "CANCELLED")
