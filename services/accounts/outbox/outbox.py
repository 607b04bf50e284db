"""The outbox: e-mails are stored in the transaction that causes them, and sent later.

A worker of any replica sends them. Their text is written when they are sent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from services.accounts import metrics
from services.accounts.users.addresses import Address
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)


class EmailKind(StrEnum):
    """The occasion of an e-mail."""

    REGISTER_CODE = "REGISTER_CODE"
    RESET_CODE = "RESET_CODE"
    CHANGE_EMAIL_CODE = "CHANGE_EMAIL_CODE"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - the name of an e-mail
    EMAIL_CHANGED = "EMAIL_CHANGED"
    NOTICE = "NOTICE"
    TICKET = "TICKET"
    """A notice, too. Replicas that do not know it leave it to others."""


@dataclass(frozen=True, slots=True)
class LeasedEmail:
    """An e-mail that this process may send now; `asked_at` distinguishes it from later requests."""

    id: int
    canonical_email: str
    email: str
    kind: str
    notice_id: str
    asked_at: datetime
    attempts: int

    @property
    def address(self) -> Address:
        """The recipient."""
        return Address(self.email, self.canonical_email)


class Outbox:
    """The e-mails that wait to be sent."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lease(self, limit: int) -> Sequence[LeasedEmail]:
        """Leases e-mails that are due, so that no other worker sends them meanwhile.

        An e-mail that is not done when its lease ends is due again: after 30 seconds, a minute, …,
        at most an hour.
        """
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(LeasedEmail))
            return await (await cursor.execute(SQL["lease_emails"], {"limit": limit})).fetchall()

    async def done(self, leased: LeasedEmail) -> None:
        """Deletes an e-mail that needs no more attempts."""
        async with self._pool.connection() as connection:
            await connection.execute(SQL["delete_email"], asdict(leased))

    async def measure(self) -> bool:
        """Sets the metrics of waiting e-mails; returns False: the next measurement is not due."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(SQL["measure_emails"])).fetchone()
        waiting, seconds = row or (0, 0.0)
        metrics.EMAILS_WAITING.set(waiting)
        metrics.EMAIL_LAG_SECONDS.set(seconds)
        return False

    async def give_up(self) -> int:
        """Deletes e-mails that could not be sent for two days; returns how many."""
        async with self._pool.connection() as connection:
            [count] = await (await connection.execute(SQL["delete_old_emails"])).fetchone() or (0,)
            return int(count)


async def enqueue(connection: Connection, kind: EmailKind, address: Address) -> None:
    """Stores an e-mail, within the transaction that causes it.

    It replaces one of the same kind to the same address that was not sent yet.
    """
    values = {"kind": kind, "canonical_email": address.canonical, "email": address.spelled}
    await connection.execute(SQL["enqueue_email"], values)


async def redirect(connection: Connection, former: Address, address: Address) -> None:
    """Sends the notices that wait to a new address, within the transaction that changes it."""
    values = {
        "former": former.canonical,
        "canonical_email": address.canonical,
        "email": address.spelled,
        "kinds": [EmailKind.NOTICE, EmailKind.TICKET],
    }
    await connection.execute(SQL["redirect_emails"], values)


async def delete_for_address(connection: Connection, canonical_email: str) -> None:
    """Deletes all e-mails to an address, within the transaction that erases it."""
    await connection.execute(SQL["delete_emails_to"], {"canonical_email": canonical_email})
