"""The walk of the Postman collection, against a running system."""

import asyncio
import io
import json
from pathlib import Path

import httpx

from deploy.local.logs import LogPrinter
from deploy.local.mailbox import open_mailbox
from tests.e2e import postman
from tests.e2e.conftest import Start

FILE = Path(__file__).parents[2] / "docs/postman/boxoffice.postman_collection.json"
MAIL_SECONDS = 20


async def test_the_walk_leads_from_a_letter_to_a_cancelled_booking(
    start: Start, unused_tcp_port: int
) -> None:
    """Each request has what the ones before it found out, be it in the mailbox."""
    collection = json.loads(FILE.read_text(encoding="utf-8"))
    first, *others = collection["item"][0]["item"]
    printer = LogPrinter.for_stream(io.StringIO())
    async with open_mailbox(printer, page_port=unused_tcp_port) as smtp_url:
        system = start(
            ACCOUNTS_SMTP_URL=smtp_url,
            ACCOUNTS_ORGANIZER_SIGN_UP="open",
            BOXOFFICE_OPEN_ACCESS="false",
            GATEWAY_RATE_LIMITS="on",
        )
        mailbox_url = f"http://127.0.0.1:{unused_tcp_port}"
        variables = postman.variables(collection)
        variables |= {"base_url": system.url, "mailbox_url": mailbox_url}
        with httpx.Client(trust_env=False) as client:
            runner = postman.Runner(client, collection["auth"], variables)
            runner.run(first)
            await arrived(mailbox_url, variables["email"])
            *_, listed, cancelled = [runner.run(item) for item in others]
    [booking] = listed.json()["data"]
    assert booking["reference"] == variables["reference"] == cancelled.json()["reference"]
    assert (booking["seat_count"], cancelled.json()["status"]) == (2, "CANCELLED")


async def arrived(mailbox_url: str, email: str) -> None:
    """Waits for a letter, as the pause of the collection does."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(MAIL_SECONDS):
        while email not in (await client.get(mailbox_url)).text:  # noqa: ASYNC110 - pages tell nobody
            await asyncio.sleep(0.05)
