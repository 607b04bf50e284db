"""Sends the e-mails of the outbox. Each is written, and its code made, when it is sent."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from services.accounts.credentials.codes import Codes, Purpose
from services.accounts.mail import templates
from services.accounts.mail.smtp import MailDelayedError, MailRefusedError, SmtpServer
from services.accounts.mail.templates import EmailText
from services.accounts.outbox import notices
from services.accounts.outbox.outbox import EmailKind, LeasedEmail, Outbox
from services.accounts.users import users
from services.kit.database.postgres import Pool

AT_ONCE = 10

log = structlog.get_logger()


class Mailer:
    """Sends the e-mails of the outbox. Without a server they wait until they are given up."""

    def __init__(self, pool: Pool, codes: Codes, *, server: SmtpServer | None, sender: str) -> None:
        self._pool = pool
        self._outbox = Outbox(pool)
        self._codes = codes
        self._server = server
        self._sender = sender

    async def deliver(self) -> bool:
        """Sends e-mails that are due; returns whether there may be more."""
        if self._server is None:
            return False
        due = await self._outbox.lease(AT_ONCE)
        await asyncio.gather(*(self._deliver(leased, self._server) for leased in due))
        return len(due) == AT_ONCE

    async def give_up(self) -> bool:
        """Deletes e-mails that could not be sent for two days."""
        if given_up := await self._outbox.give_up():
            log.error("e-mails given up", emails=given_up)
        return False

    async def _deliver(self, leased: LeasedEmail, server: SmtpServer) -> None:
        try:
            if text := await self._write(leased):
                await server.send(templates.message(text, sender=self._sender, to=leased.email))
        except MailDelayedError as error:
            log.warning(
                "e-mail delayed", email_id=leased.id, attempts=leased.attempts, error=str(error)
            )
            return
        except MailRefusedError as error:
            log.warning("e-mail refused", email_id=leased.id, error=str(error))
        await self._outbox.done(leased)

    async def _write(self, leased: LeasedEmail) -> EmailText | None:
        """Writes an e-mail; None if there is nothing to send to this address.

        Only here does the service look up whether an address has an account, and only the owner of
        the address sees the result.
        """
        kind = EmailKind(leased.kind)
        if kind in _FIXED_TEXTS:
            return _FIXED_TEXTS[kind]()
        if kind in {EmailKind.NOTICE, EmailKind.TICKET}:
            return await self._write_notice(leased.notice_id)
        async with self._pool.connection() as connection:
            user = await users.find(connection, leased.address)
        if kind is EmailKind.RESET_CODE:
            code = await self._codes.issue(leased.address, Purpose.RESET) if user else None
            return templates.reset_code(code) if code else None
        if kind is EmailKind.CHANGE_EMAIL_CODE:
            # Even if the address is the account's own: the code verifies it.
            code = await self._codes.issue(leased.address, Purpose.CHANGE_EMAIL)
            return templates.change_email_code(code) if code else None
        if user and user.email_verified:
            return templates.already_registered()
        code = await self._codes.issue(leased.address, Purpose.REGISTER)
        return templates.register_code(code) if code else None

    async def _write_notice(self, notice_id: str) -> EmailText | None:
        async with self._pool.connection() as connection:
            notice = await notices.find(connection, notice_id)
        return templates.notice(notice) if notice else None


_FIXED_TEXTS: Mapping[EmailKind, Callable[[], EmailText]] = MappingProxyType(
    {
        EmailKind.PASSWORD_CHANGED: templates.password_changed,
        EmailKind.EMAIL_CHANGED: templates.email_changed,
    }
)
