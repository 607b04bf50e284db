"""How mail leaves: by SMTP, to the server that a URL names."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

SECONDS = 20.0
"""How long sending one letter may take, all in all."""

log = structlog.get_logger()

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


_WANTED = (
    "must be smtp://, smtp+starttls:// or smtps://, then user:password@host:port, "
    "with special characters of the password percent-encoded"
)


class MailRefusedError(Exception):
    """The server will never take this letter; trying again is of no use."""


class MailDelayedError(Exception):
    """The letter could not be sent now."""


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
        """Reads `smtps://user:password@host:port`; raises ValueError without showing it."""
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
        """Hands a letter over; raises MailRefusedError and MailDelayedError.

        Neither tells what the server said, which may repeat what was sent to it.
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
    """Finds the server of a URL; None, which is logged, where there is no URL."""
    if url:
        return SmtpServer.of(url)
    log.warning("no mail server is set: letters wait, and are given up after two days")
    return None


def _failure(code: int) -> Exception:
    """Tells a final refusal, 5xx, from one that may pass."""
    error = MailRefusedError if code >= 500 else MailDelayedError
    return error(f"code {code}")
