"""The core's statements for a database that is distributed by event (Citus).

There a transaction is about one event, and each statement gets its number as a parameter. So Citus
sends the whole statement to the node that has the event: it decides that from constants, not from
the JSON that names the event on a single PostgreSQL.
"""

import re
from collections.abc import Mapping
from functools import cache

from services.kit.database.postgres import Connection, Pool
from services.kit.database.round_trip import RoundTrip, Statement
from services.kit.process.environment import SettingsError

SESSION: Mapping[str, str] = {
    # Citus reads the parameters when it plans.
    "plan_cache_mode": "force_custom_plan",
    # Limits how long a paused process can keep an event's row locked.
    "transaction_timeout": "5s",
}
_ROWS = rb"(?:asked|changed|claimed|claims|booked|entry|given|moved|refunded)"
_RULES = (
    # A column compared with the event of a row of the JSON.
    (re.compile(rb"(?: \+ 0)? = %s\.event_id\b" % _ROWS), rb" = %(event)s"),
    (re.compile(rb"\bevent_id = ANY \("), rb"event_id = %(event)s AND event_id = ANY ("),
    (
        re.compile(rb"WHERE \((\w+)\.event_id, "),
        rb"WHERE \1.event_id = %(event)s AND (\1.event_id, ",
    ),
    (re.compile(rb"WHERE (\w+)\.ctid = "), rb"WHERE \1.event_id = %(event)s AND \1.ctid = "),
    # Citus runs the parts of a statement in the order of the text, and would send to all nodes what
    # one part reads of another.
    (re.compile(rb"WHERE \(SELECT count\(\*\) FROM \w+\) >= 0"), b""),
    # The sequence is on the coordinator only; see `store.load_rest`.
    (re.compile(rb"nextval\('booking_id'\) AS booking_id"), b"NULL::bigint AS booking_id"),
)


class RoutedTrip(RoundTrip):
    """A round trip whose statements are all about one event."""

    def __init__(self, connection: Connection, event_id: int) -> None:
        super().__init__(connection)
        self._event = {"event": event_id}

    def call(self, statement: Statement, values: Mapping[str, object]) -> None:
        """See RoundTrip.call."""
        super().call(routed(statement), {**values, **self._event})


async def expect_distributed(pool: Pool) -> None:
    """Returns if the tables of events are distributed; raises SettingsError otherwise.

    One PostgreSQL runs the parts of a statement in another order than Citus.
    """
    async with pool.connection() as connection:
        found = await connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
        if await found.fetchone():
            found = await connection.execute(
                "SELECT 1 FROM pg_dist_partition WHERE logicalrelid = 'progress'::regclass"
            )
            if await found.fetchone():
                return
    raise SettingsError(
        "BOOKINGS_DISTRIBUTED is true, but the table progress is not distributed:"
        " run deploy/citus/progress.sql and distribute.sql"
    )


@cache
def routed(statement: Statement) -> Statement:
    """Returns the statement with the number of its event as a last parameter."""
    number = len(statement.parameters) + 1
    text = statement.text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement.replace(b"%(event)s", b"$%d::bigint" % number), text)
    if text == statement.text:
        return statement
    return Statement(f"{statement.name}_routed", text, (*statement.parameters, "event"))
