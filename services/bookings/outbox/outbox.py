"""Sends letters to accounts, which mails them.

The statement that is the reason for a letter makes it due. It is sent until accounts confirms it,
and accounts ignores repeated ones: so none is lost, and none is mailed twice.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import grpc
import structlog

from services.bookings.leases import Leases
from services.kit.database.postgres import Pool
from services.kit.database.queries import as_json
from services.kit.rpc.errors import Received, Refusal

log = structlog.get_logger()


class Due(Protocol):
    """A letter that is due, a dataclass with its id."""

    @property
    def id(self) -> UUID:
        """The id by which accounts knows a repeated letter."""


DueT = TypeVar("DueT", bound=Due)
LetterT = TypeVar("LetterT")
LetterT_contra = TypeVar("LetterT_contra", contravariant=True)


class Accounts(Protocol[LetterT_contra]):
    """The service accounts, which mails letters."""

    async def send_notices(self, notices: Sequence[LetterT_contra]) -> None:
        """Sends letters, all or none. After a Refusal it is unknown whether accounts has them."""


@dataclass(frozen=True, slots=True)
class Drawer(Generic[DueT]):
    """Where a room keeps its letters.

    Up to `limit` letters are leased at once; they are due again unless the statement `end` ends
    them, the `letters`, which are JSON of the leased rows.
    """

    leases: Leases[DueT]
    end: bytes
    limit: int = 1


class Outbox(ABC, Generic[DueT, LetterT]):
    """Sends the letters of a room; replicas send different ones."""

    def __init__(self, pool: Pool, drawer: Drawer[DueT], accounts: Accounts[LetterT]) -> None:
        self._pool = pool
        self._drawer = drawer
        self._accounts = accounts

    @abstractmethod
    async def write(self, due: DueT) -> LetterT | None:
        """Writes a letter that is due; returns None if it is not needed any more.

        After a Refusal the letter is due again later.
        """

    async def send(self) -> bool:
        """Sends the next letters; returns whether there may be more to send now.

        A letter that could not be written or sent is due again after its pause.
        """
        leased = await self._drawer.leases.take(self._pool, limit=self._drawer.limit)
        over: list[DueT] = []
        written: list[tuple[DueT, LetterT]] = []
        try:
            for due in leased:
                letter = await self.write(due)
                if letter is None:
                    over.append(due)
                else:
                    written.append((due, letter))
            over += await self._send(written)
        except Refusal as refusal:
            log.warning("letters wait", sender=type(self).__name__, reason=refusal.reason)
            return False
        finally:
            await self._end(over)
        return len(leased) == self._drawer.limit

    async def _send(self, written: Sequence[tuple[DueT, LetterT]]) -> list[DueT]:
        """Sends letters; returns those that accounts has.

        A refused batch is halved until each refused letter is alone.
        """
        if not written:
            return []
        try:
            await self._accounts.send_notices([letter for _, letter in written])
        except Received as refusal:
            if refusal.code not in _MAY_BE_ONE_OF_THEM:
                raise
            if len(written) == 1:
                log.exception("letter refused", letter=str(written[0][0].id))
                return []
            half = len(written) // 2
            return [*await self._send(written[:half]), *await self._send(written[half:])]
        return [due for due, _ in written]

    async def _end(self, letters: Sequence[Any]) -> None:
        if not letters:
            return
        async with self._pool.connection() as connection:
            values = {"letters": as_json(letters)}
            await connection.execute(self._drawer.end, values)


_MAY_BE_ONE_OF_THEM = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL}
