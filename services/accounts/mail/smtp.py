"""Sends e-mails by SMTP, to the server that a URL names."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

SECONDS = 20.0
"""How long sending one e-mail may take in total."""

log = structlog.get_logger()

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


_WANTED = (
    "must be smtp://, smtp+starttls:// or smtps://, then user:password@host:port, "
    "with special characters of the password percent-encoded"
)


class MailRefusedError(Exception):
    """The server refused the e-mail for good; do not try again."""


class MailDelayedError(Exception):
    """The e-mail could not be sent now; try again later."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server: `smtp://` without TLS, `smtp+starttls://`, or `smtps://`."""

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """Parses `smtps://user:password@host:port`; raises ValueError that does not show it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(_WANTED) from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(_WANTED)
        return cls(
            parts.scheme,
            parts.hostname,
            port or PORTS[parts.scheme],
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    async def send(self, message: EmailMessage) -> None:
        """Sends an e-mail; raises MailRefusedError and MailDelayedError.

        Neither shows the server's reply, which may quote the e-mail.
        """
        try:
            async with asyncio.timeout(SECONDS):
                await aiosmtplib.send(
                    message,
                    hostname=self.host,
                    port=self.port,
                    username=self.username,
                    password=self.password,
                    use_tls=self.scheme == "smtps",
                    start_tls=self.scheme == "smtp+starttls",
                    timeout=SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            raise _failure(min(codes, default=0)) from None
        except aiosmtplib.SMTPResponseException as error:
            is_final = not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            raise _failure(error.code if is_final else 0) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailDelayedError(type(error).__name__) from None


def server_at(url: str) -> SmtpServer | None:
    """Returns the server of a URL; without a URL logs a warning and returns None."""
    if url:
        return SmtpServer.of(url)
    log.warning("no mail server is set: e-mails wait, and are given up after two days")
    return None


def _failure(code: int) -> Exception:
    """Returns the error of a reply: 5xx is final, anything else is worth another attempt."""
    error = MailRefusedError if code >= 500 else MailDelayedError
    return error(f"code {code}")
