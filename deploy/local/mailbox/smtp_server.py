"""The SMTP server of the development run: it keeps every letter, and forwards none.

It listens on this machine only, and keeps the last letters until the run ends.
"""

import asyncio
import contextlib
import email
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from deploy.local.log_printer import LogPrinter
from deploy.local.mailbox.page import Letter, serve_page

MOST_LETTERS = 100
LOOPBACK = "127.0.0.1"
NAME = "mailbox"


class Mailbox:
    """The last letters, newest first; each is logged as it arrives, with its code."""

    def __init__(self, printer: LogPrinter) -> None:
        self._printer = printer
        self._letters: deque[Letter] = deque(maxlen=MOST_LETTERS)

    def letters(self) -> Sequence[Letter]:
        """Lists the letters."""
        return list(self._letters)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Receives a letter; see aiosmtpd."""
        letter = read(envelope.content or b"")
        self._letters.appendleft(letter)
        words = {"to": letter.to, "subject": letter.subject, "code": letter.code}
        entry = {"event": "letter", "level": "info", "timestamp": letter.arrived_at.isoformat()}
        self._printer.write(NAME, json.dumps(entry | words | {"process": NAME}))
        return "250 OK"


def read(content: bytes | str) -> Letter:
    """Parses a letter."""
    sent = content if isinstance(content, bytes) else content.encode()
    message = email.message_from_bytes(sent, policy=default)
    part = message.get_body(("plain",))
    text = part.get_content() if part else ""
    return Letter(datetime.now(UTC), str(message["To"]), str(message["Subject"]), text)


@contextlib.asynccontextmanager
async def open_mailbox(printer: LogPrinter, *, page_port: int) -> AsyncIterator[str]:
    """Receives letters and serves the page while the block runs; yields the URL for SMTP."""
    mailbox = Mailbox(printer)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(lambda: SMTP(mailbox, hostname="localhost"), LOOPBACK, 0)
    with serve_page(mailbox.letters, page_port):
        async with smtp:
            yield f"smtp://{LOOPBACK}:{smtp.sockets[0].getsockname()[1]}"
