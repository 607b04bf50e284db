"""The receivers of docs/webhooks.md, run as they stand in it."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.bookings.webhooks.webhooks import WebhookFields
from tests.e2e.system import free_ports
from tests.services.bookings.webhooks.conftest import OWNER, Box
from tests.services.conditions import until

PAGE = Path(__file__).parents[4] / "docs/webhooks.md"


@dataclass
class Program:
    """A receiver that runs as a process of its own, and the lines that it has printed."""

    url: str
    lines: list[str] = field(default_factory=list)


def program(language: str) -> str:
    """Returns the receiver of the page in a language."""
    page = PAGE.read_text(encoding="utf-8")
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return str(text)


@contextlib.asynccontextmanager
async def running(command: Sequence[str | Path], secret: str) -> AsyncIterator[Program]:
    """Runs a receiver with a secret while the block runs."""
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    started = Program(f"http://127.0.0.1:{port}/")
    reading = asyncio.create_task(_read(process, started))
    try:
        await until(lambda: _listens(port))
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.gather(process.wait(), reading)


async def expect_a_change_and_no_forgery(box: Box, command: Sequence[str | Path]) -> None:
    """Delivers a change to a receiver that has the secret, and to one that has another."""
    webhook_id, secret = await box.register("http://127.0.0.1:9/")
    async with running(command, secret) as receiver:
        await box.webhooks.update(OWNER, webhook_id, WebhookFields(url=receiver.url))
        await box.book("ada")
        await box.deliver()
        [delivery] = await box.webhooks.list_deliveries(OWNER, webhook_id)
        assert (delivery.status, delivery.error) == (204, "")
        await until(lambda: _has_printed(receiver))
        assert re.fullmatch(r"RESERVED 1 [0-9a-f-]{36}", receiver.lines[0])
    other = "whsec_" + "A" * 43 + "="
    async with running(command, other) as receiver:
        await box.webhooks.update(OWNER, webhook_id, WebhookFields(url=receiver.url))
        await box.book("bob")
        await box.deliver()
        [delivery, _] = await box.webhooks.list_deliveries(OWNER, webhook_id)
        assert delivery.status == 400
        assert receiver.lines == []


async def _read(process: asyncio.subprocess.Process, started: Program) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        started.lines.append(line.decode().rstrip())


async def _has_printed(receiver: Program) -> bool:
    return bool(receiver.lines)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
