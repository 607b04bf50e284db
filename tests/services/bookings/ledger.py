"""Replays the ledger of an event and checks each row."""

from collections import deque
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import psycopg

from tests.conftest import Database


@dataclass(slots=True)
class Replay:
    """The state after a number of ledger rows: bookings, waiting places, freed seats."""

    capacity: int
    taken: int = 0
    line: deque[int] = field(default_factory=deque)
    freed: set[int] = field(default_factory=set)

    def follow(self, kind: str, booking_id: int | None, place: int | None, seats: int) -> None:
        """Applies a row; fails if it oversells, overtakes a waiting user or frees a seat twice."""
        self.taken += seats
        assert 0 <= self.taken <= self.capacity, "oversold"
        if kind == "JOINED" and place is not None:
            self.line.append(place)
        if kind == "SERVED":
            assert self.line.popleft() == place, "somebody was overtaken"
        if kind in {"RESERVED", "HELD"}:
            assert not self.line, "somebody was overtaken"
        if kind == "CANCELLED" and booking_id is not None:
            assert booking_id not in self.freed, "a seat was freed twice"
            self.freed.add(booking_id)

    def expect_at_rest(self) -> None:
        """Fails if a seat is free while a user waits for one seat."""
        assert not self.line or self.taken == self.capacity, "a seat is free and somebody waits"


def replay(database: Database, event_id: int, *, capacity: int) -> Replay:
    """Replays an event of fixed capacity with one seat for each user."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT rev, txid::text, kind, booking_id, place, seats FROM bookings.ledger"
            " WHERE event_id = %s ORDER BY rev",
            [event_id],
        ).fetchall()
    assert [rev for rev, *_ in rows] == list(range(1, len(rows) + 1))
    replayed = Replay(capacity)
    for _, committed in groupby(rows, itemgetter(1)):
        for _, _, *row in committed:
            replayed.follow(*row)
        replayed.expect_at_rest()
    return replayed
