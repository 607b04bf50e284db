"""A mail server that keeps its e-mails, and refuses those that a test wants refused."""

import asyncio
import contextlib
import email
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope

from services.accounts.mail.smtp import SmtpServer


@dataclass
class Mailbox:
    """The e-mails that arrived; `answer` is the reply of the server to each."""

    port: int = 0
    answer: str = "250 OK"
    emails: list[EmailMessage] = field(default_factory=list)

    @property
    def server(self) -> SmtpServer:
        """The server, for the sender."""
        return SmtpServer("smtp", "127.0.0.1", self.port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Receives an e-mail; see aiosmtpd."""
        if self.answer.startswith("250"):
            content = cast(bytes, envelope.content)
            message = email.message_from_bytes(content, policy=default)
            self.emails.append(message)
        return self.answer

    def count(self, to: str) -> int:
        """Counts the e-mails to an address."""
        return sum(email["To"] == to for email in self.emails)

    def last(self, to: str) -> EmailMessage:
        """Returns the last e-mail to an address."""
        return [email for email in self.emails if email["To"] == to][-1]

    def code(self, to: str) -> str:
        """Reads the code in the last e-mail to an address."""
        [code] = re.findall(r"\b\d{6}\b", text(self.last(to)))
        return cast(str, code)


def text(email: EmailMessage, subtype: str = "plain") -> str:
    """Reads the plain text or the HTML of an e-mail."""
    part = email.get_body((subtype,))
    assert part is not None
    return cast(str, part.get_content())


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Mailbox]:
    """Serves a mailbox on a free port."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mailbox
