"""Sends notices to accounts, which mails users that they got seats from the waiting list.

A transaction that assigns seats to an account's user inserts a row into `notices`. A notice is sent
until accounts confirms it, and accounts ignores repeated ones: so none is lost, and none is mailed
twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import grpc
import structlog
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Received, Refusal

SQL = queries.load(__file__)
NOTICES_CHUNK = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Notice:
    """The booking that a notice is about; an offer if it has an end."""

    id: UUID
    event_id: int
    booking_id: int
    user_id: str
    event_name: str
    event_starts_at: datetime | None
    seat_count: int
    reference: UUID
    offer_expires_at: datetime | None
    is_moot: bool


class Accounts(Protocol):
    """The service accounts, which mails notices."""

    async def send_notices(self, notices: Sequence[Notice]) -> None:
        """Sends notices, all or none. After a Refusal it is unknown whether accounts has them."""


class Notices:
    """Sends notices that are due."""

    def __init__(self, pool: Pool, accounts: Accounts) -> None:
        self._pool = pool
        self._accounts = accounts

    async def send(self) -> bool:
        """Sends a batch of notices; returns whether there may be more.

        Refused notices are due again after 10 seconds, 20, 40, then each minute.
        """
        leased = await self._lease()
        try:
            taken = await self._send([notice for notice in leased if not notice.is_moot])
        except Refusal as refusal:
            log.warning("notices wait for accounts", reason=refusal.reason)
            return False
        await self._delete([*taken, *(notice for notice in leased if notice.is_moot)])
        return len(leased) == NOTICES_CHUNK

    async def _send(self, notices: Sequence[Notice]) -> Sequence[Notice]:
        """Sends notices to accounts; returns the accepted ones.

        A refused batch is halved until each refused notice is alone.
        """
        if not notices:
            return []
        try:
            await self._accounts.send_notices(notices)
        except Received as refusal:
            if refusal.code not in _MAY_BE_ONE_OF_THEM:
                raise
            if len(notices) == 1:
                log.exception("notice refused", notice=str(notices[0].id))
                return []
            half = len(notices) // 2
            return [
                *await self._send(notices[:half]),
                *await self._send(notices[half:]),
            ]
        return notices

    async def _lease(self) -> Sequence[Notice]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Notice))
            values = {"limit": NOTICES_CHUNK}
            return await (await cursor.execute(SQL["lease_notices"], values)).fetchall()

    async def _delete(self, notices: Sequence[Notice]) -> None:
        if not notices:
            return
        values = {
            "event_ids": [notice.event_id for notice in notices],
            "booking_ids": [notice.booking_id for notice in notices],
        }
        async with self._pool.connection() as connection:
            await connection.execute(SQL["delete_notices"], values)


_MAY_BE_ONE_OF_THEM = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}
