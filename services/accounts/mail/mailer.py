"""Sending letters: each is written at the moment it is sent, and so is the code it brings."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from services.accounts.credentials.codes import Codes, Purpose
from services.accounts.mail import templates
from services.accounts.mail.smtp import MailDelayedError, MailRefusedError, SmtpServer
from services.accounts.mail.templates import Text
from services.accounts.outbox import notices
from services.accounts.outbox.outbox import Leased, Letter, Outbox
from services.accounts.users import users
from services.kit.database.postgres import Pool

AT_ONCE = 10

log = structlog.get_logger()


_ALWAYS_THE_SAME: Mapping[Letter, Callable[[], Text]] = MappingProxyType(
    {
        Letter.PASSWORD_CHANGED: templates.password_changed,
        Letter.EMAIL_CHANGED: templates.email_changed,
    }
)


class Mailing:
    """Empties the outbox. Without a server letters wait there, and are given up in the end."""

    def __init__(self, pool: Pool, codes: Codes, *, server: SmtpServer | None, sender: str) -> None:
        self._pool = pool
        self._outbox = Outbox(pool)
        self._codes = codes
        self._server = server
        self._sender = sender

    async def deliver(self) -> bool:
        """Sends letters that are due; tells whether there may be more."""
        if self._server is None:
            return False
        due = await self._outbox.lease(AT_ONCE)
        await asyncio.gather(*(self._deliver(letter, self._server) for letter in due))
        return len(due) == AT_ONCE

    async def give_up(self) -> bool:
        """Gives up what could not be sent for two days."""
        if given_up := await self._outbox.give_up():
            log.error("letters given up", letters=given_up)
        return False

    async def _deliver(self, letter: Leased, server: SmtpServer) -> None:
        try:
            if text := await self._write(letter):
                await server.send(templates.message(text, sender=self._sender, to=letter.email))
        except MailDelayedError as error:
            log.warning(
                "letter delayed", letter=letter.id, attempts=letter.attempts, error=str(error)
            )
            return
        except MailRefusedError as error:
            log.warning("letter refused", letter=letter.id, error=str(error))
        await self._outbox.done(letter)

    async def _write(self, letter: Leased) -> Text | None:
        """Writes a letter; None when there is nothing to say to this address.

        Only here is it asked whether the address has an account, and only its owner sees what
        follows from that.
        """
        kind = Letter(letter.letter)
        if kind in _ALWAYS_THE_SAME:
            return _ALWAYS_THE_SAME[kind]()
        if kind is Letter.NOTICE:
            return await self._write_notice(letter.notice_id)
        async with self._pool.connection() as connection:
            user = await users.find(connection, letter.address)
        if kind is Letter.RESET_CODE:
            code = await self._codes.issue(letter.address, Purpose.RESET) if user else None
            return templates.reset_code(code) if code else None
        if kind is Letter.CHANGE_EMAIL_CODE:
            # The address may be the account's own, which is verified by this.
            code = await self._codes.issue(letter.address, Purpose.CHANGE_EMAIL)
            return templates.change_email_code(code) if code else None
        if user and user.email_verified:
            return templates.already_registered()
        code = await self._codes.issue(letter.address, Purpose.REGISTER)
        return templates.register_code(code) if code else None

    async def _write_notice(self, notice_id: str) -> Text | None:
        async with self._pool.connection() as connection:
            notice = await notices.find(connection, notice_id)
        return templates.notice(notice) if notice else None
