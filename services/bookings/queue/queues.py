"""Joining queues, looking where one stands, and leaving."""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.bookings.errors import QueueEntryNotFound, QueueOff
from services.bookings.queue.standings import Standing, Standings
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose place it is: the holder of a token or, without one, an account."""

    event_id: int
    token: str = ""
    account: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether it is anybody's."""
        return bool(self.token) or self.account is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stands. `position` is 0 once they are admitted, None if they do not wait."""

    state: str
    position: int | None = None
    wait_seconds: int | None = None
    admitted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A place, and its token."""

    token: str
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored. `is_stale` is whether its last sign of life was some time ago."""

    id: int
    place: int | None
    state: str
    admitted_until: datetime | None = None
    is_stale: bool = False


class Queues:
    """The queues of events."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._standings = Standings(pool)

    async def join(self, event_id: int, user_ids: Sequence[str]) -> Sequence[Joined]:
        """Adds users to a queue, each once; those who are in it keep their places.

        Returns a place for each. Raises QueueOff.
        """
        # The number of the event tells sockets, which name no event, whose queue it is.
        tokens = {user: f"{event_id}.{secrets.token_urlsafe(TOKEN_BYTES)}" for user in user_ids}
        async with self._pool.connection() as connection, connection.transaction():
            entries, seq = await _join(connection, event_id, tokens)
        standing = await self._standing(event_id, seq)
        places = {user: _place(entry, standing) for user, entry in entries.items()}
        return [Joined(tokens[user], places[user]) for user in user_ids]

    async def get(self, event_id: int, *, anew: bool = False) -> Standing | None:
        """Returns the queue of an event, or None if it has never had one.

        It may be a second old, unless it is read `anew`.
        """
        if anew:
            self._standings.forget(event_id)
        return await self._standings.get(event_id)

    async def find(self, holders: Sequence[Holder]) -> Sequence[Place | QueueEntryNotFound | None]:
        """Returns the place of each holder, and notes the sign of life.

        An account without a place is None, a token without one QueueEntryNotFound.
        """
        entries = await self.see(holders)
        found: list[Place | QueueEntryNotFound | None] = []
        for number, holder in enumerate(holders):
            entry = entries.get(number)
            if entry is not None:
                found.append(_place(entry, await self._standing(holder.event_id)))
            else:
                found.append(QueueEntryNotFound() if holder.token else None)
        return found

    async def see(self, holders: Sequence[Holder]) -> Mapping[int, Entry]:
        """Notes signs of life of holders; returns their entries by their numbers in `holders`."""
        of_events: dict[int, dict[int, Holder]] = {}
        for number, holder in enumerate(holders):
            if holder.is_named:
                of_events.setdefault(holder.event_id, {})[number] = holder
        seen: dict[int, Entry] = {}
        for event_id, named in of_events.items():
            entries = await self._entries(event_id, named)
            seen |= entries | await self._see(event_id, entries)
        return seen

    async def leave(self, holder: Holder) -> None:
        """Ends the place or the admission of a holder; raises QueueEntryNotFound."""
        entry = (await self._entries(holder.event_id, {0: holder})).get(0)
        if entry is None:
            raise QueueEntryNotFound
        values = {"event_id": holder.event_id, "id": entry.id}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(SQL["lock_queue"], values)
            left = await (await connection.execute(SQL["leave"], values)).fetchone()
            await record(connection, holder.event_id, left or (), waits=False)

    async def _entries(self, event_id: int, holders: Mapping[int, Holder]) -> dict[int, Entry]:
        """Finds the entries of holders in one event, by the numbers of the holders."""
        tokens = [holder.token for holder in holders.values()]
        values = {
            "event_id": event_id,
            "numbers": list(holders),
            "secret_hashes": [_hash(token) if token else None for token in tokens],
            "user_ids": [holder.account for holder in holders.values()],
        }
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["find_entries"], values)).fetchall()
        return {number: Entry(*columns) for number, *columns in rows}

    async def _see(self, event_id: int, entries: Mapping[int, Entry]) -> dict[int, Entry]:
        """Notes signs of life; returns the entries that were away and wait again."""
        stale = [e.id for e in entries.values() if e.state == "WAITING" and e.is_stale]
        if stale:
            async with self._pool.connection() as connection:
                await connection.execute(SQL["see_entries"], {"event_id": event_id, "ids": stale})
        away = [entry.id for entry in entries.values() if entry.state == "AWAY"]
        returned = await self._return(event_id, away) if away else ()
        return {
            number: replace(entry, state="WAITING")
            for number, entry in entries.items()
            if entry.id in returned
        }

    async def _return(self, event_id: int, ids: Sequence[int]) -> Collection[int]:
        """Lets entries that were away wait again; returns their numbers."""
        async with self._pool.connection() as connection, connection.transaction():
            locked = await connection.execute(SQL["lock_queue"], {"event_id": event_id})
            if (queue := await locked.fetchone()) is None:
                return ()
            values = {"event_id": event_id, "ids": ids, "now": queue[2]}
            rows = await (await connection.execute(SQL["return_entries"], values)).fetchall()
            await record(connection, event_id, [place for _, place in rows], waits=True)
        return {number for number, _ in rows}

    async def _standing(self, event_id: int, seq: int = 0) -> Standing:
        standing = await self._standings.get(event_id, seq)
        if standing is None:
            raise QueueOff
        return standing


async def _join(
    connection: Connection, event_id: int, tokens: Mapping[str, str]
) -> tuple[Mapping[str, Entry], int]:
    """Adds users or renews their tokens, under the lock of the queue.

    Returns their entries, and the number of the change that this made, 0 for none.
    """
    values: dict[str, object] = {"event_id": event_id, "user_ids": list(tokens)}
    queue = await (await connection.execute(SQL["lock_queue"], values)).fetchone()
    if queue is None:
        raise QueueOff
    last_id, draw_size, now = queue
    rows = await (await connection.execute(SQL["find_entries_of_users"], values)).fetchall()
    known = {user_id: Entry(number, place, state) for number, place, user_id, state in rows}
    new = [user_id for user_id in tokens if user_id not in known]
    ids = list(range(last_id + 1, last_id + 1 + len(new)))
    is_drawn = draw_size is not None
    values |= {"now": now, "is_drawn": is_drawn}
    if new:
        added = {"ids": ids, "user_ids": new, "secret_hashes": [_hash(tokens[u]) for u in new]}
        await connection.execute(SQL["add_entries"], values | added)
        await connection.execute(SQL["count_joined"], values | {"last_id": ids[-1]})
    if known:
        renewed = {
            "ids": [entry.id for entry in known.values()],
            "secret_hashes": [_hash(tokens[user_id]) for user_id in known],
        }
        await connection.execute(SQL["renew_entries"], values | renewed)
    back = [entry.place for entry in known.values() if entry.state == "AWAY"]
    seq = await record(connection, event_id, [*back, *(ids if is_drawn else ())], waits=True)
    joined = {
        user_id: Entry(number, number if is_drawn else None, "WAITING")
        for user_id, number in zip(new, ids, strict=True)
    }
    for user_id, entry in known.items():
        joined[user_id] = replace(entry, state="WAITING") if entry.state == "AWAY" else entry
    return joined, seq


async def record(
    connection: Connection, event_id: int, places: Sequence[int | None], *, waits: bool
) -> int:
    """Records that places wait from now on, or do not; the queue must be locked.

    Returns the number of the change, 0 if there are none.
    """
    drawn = [place for place in places if place is not None]
    if not drawn:
        return 0
    values = {"event_id": event_id, "places": drawn, "waits": waits}
    found = await (await connection.execute(SQL["record"], values)).fetchone()
    return int(found[0]) if found else 0


def _place(entry: Entry, standing: Standing) -> Place:
    if entry.state == "ADMITTED":
        return Place(entry.state, 0, 0, entry.admitted_until)
    if entry.state == "WAITING" and entry.place is not None and standing.queue.is_drawn:
        position = standing.line.position(entry.place)
        return Place(entry.state, position, standing.wait_seconds(position))
    return Place(entry.state)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
