"""Letters on their way: written down where they become due, sent by a worker of any replica."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from services.accounts.users.addresses import Address
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)


class Letter(StrEnum):
    """Why somebody is written to; what, is decided when the letter is sent."""

    REGISTER_CODE = "REGISTER_CODE"
    RESET_CODE = "RESET_CODE"
    CHANGE_EMAIL_CODE = "CHANGE_EMAIL_CODE"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - the name of a letter
    EMAIL_CHANGED = "EMAIL_CHANGED"
    NOTICE = "NOTICE"


@dataclass(frozen=True, slots=True)
class Leased:
    """A letter that is ours to send for now; `asked_at` tells it from one asked for later."""

    id: int
    canonical_email: str
    email: str
    letter: str
    notice_id: str
    asked_at: datetime
    attempts: int

    @property
    def address(self) -> Address:
        """Whom to write to."""
        return Address(self.email, self.canonical_email)


class Outbox:
    """The letters that wait to be sent."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lease(self, limit: int) -> Sequence[Leased]:
        """Takes letters that are due, for as long as it may take to send them.

        One that is not done by then is due again, later each time: after 30 seconds, a minute, …,
        an hour.
        """
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Leased))
            return await (await cursor.execute(SQL["lease_letters"], {"limit": limit})).fetchall()

    async def done(self, letter: Leased) -> None:
        """Forgets a letter that needs no more attempts."""
        async with self._pool.connection() as connection:
            await connection.execute(SQL["delete_letter"], asdict(letter))

    async def give_up(self) -> int:
        """Forgets letters that could not be sent for two days; returns how many."""
        async with self._pool.connection() as connection:
            return (await connection.execute(SQL["delete_old_letters"])).rowcount


async def post(connection: Connection, letter: Letter, address: Address) -> None:
    """Writes a letter down, within the transaction that it tells of.

    One like it that was not sent yet takes its place.
    """
    values = {"letter": letter, "canonical_email": address.canonical, "email": address.spelled}
    await connection.execute(SQL["post_letter"], values)


async def forward(connection: Connection, former: Address, address: Address) -> None:
    """Sends the notices that wait to another address, within the transaction that changes it."""
    values = {
        "former": former.canonical,
        "canonical_email": address.canonical,
        "email": address.spelled,
        "letter": Letter.NOTICE,
    }
    await connection.execute(SQL["forward_letters"], values)


async def withdraw(connection: Connection, canonical_email: str) -> None:
    """Forgets all letters to an address, within the transaction that erases it."""
    await connection.execute(SQL["withdraw_letters"], {"canonical_email": canonical_email})
