"""Notices: messages of other services to people, each sent in one e-mail."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from operator import attrgetter

from psycopg.rows import class_row

from services.accounts.outbox.outbox import EmailKind
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is sent with a notice."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a user about seats or with a ticket, or to an organizer about a webhook.

    Notices with the same `id` are equal. `reference` is that of the booking or of the webhook.
    `starts_at` is shown in `time_zone`.
    """

    id: str
    account_id: str
    kind: str
    event_name: str
    starts_at: datetime | None
    seat_count: int
    reference: str
    offer_expires_at: datetime | None
    webhook_url: str = ""
    time_zone: str = ""
    attachments: Sequence[Attachment] = ()


class Notices:
    """Stores notices, and deletes them after a week."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def accept(self, notices: Iterable[Notice]) -> None:
        """Stores notices and their e-mails, all or none.

        Skips notices that are stored already, and those whose account has no address.
        """
        # Sorted, so that two replicas with the same notices cannot deadlock.
        ordered = sorted(notices, key=attrgetter("id"))
        values = [_values(notice) for notice in ordered]
        async with self._pool.connection() as connection, connection.transaction():
            await connection.cursor().executemany(SQL["accept_notice"], values)

    async def forget(self) -> bool:
        """Deletes notices after 7 days; returns whether there may be more."""
        async with self._pool.connection() as connection:
            values = {"limit": FORGOTTEN_AT_ONCE}
            forgotten = await connection.execute(SQL["forget_notices"], values)
        return forgotten.rowcount == FORGOTTEN_AT_ONCE


async def find(connection: Connection, id_: str) -> Notice | None:
    """Finds a notice; None when it is out of date, or its account is banned or gone."""
    cursor = connection.cursor(row_factory=class_row(Notice))
    notice = await (await cursor.execute(SQL["find_notice"], {"id": id_})).fetchone()
    if notice is None:
        return None
    files = connection.cursor(row_factory=class_row(Attachment))
    await files.execute(SQL["list_attachments"], {"id": id_})
    return replace(notice, attachments=await files.fetchall())


async def delete_for_account(connection: Connection, account_id: str) -> None:
    """Deletes all notices to an account, within the transaction that erases it."""
    await connection.execute(SQL["delete_notices_of"], {"account_id": account_id})


def _values(notice: Notice) -> dict[str, object]:
    files = notice.attachments
    return asdict(notice) | {
        "email_kind": EmailKind.TICKET if notice.kind == "TICKET" else EmailKind.NOTICE,
        "names": [file.name for file in files],
        "media_types": [file.media_type for file in files],
        "contents": [file.content for file in files],
    }
