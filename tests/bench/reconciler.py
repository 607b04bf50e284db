"""Measures the cost of the reconciler: `python -m tests.bench.reconciler`.

There are 100,000 events and 1,000,000 bookings, a tenth of them of one hot event. Measures a pass
that counts everything, one that counts nothing, and how fast the hot event sells meanwhile.
"""

import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import psycopg

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc
from deploy.local.postgres.server import EmbeddedPostgres
from services.migrate import SERVICES, migrate_all
from tests.e2e.system import free_ports, until
from tests.processes import Process
from tests.services.batch_items import item

EVENTS, HOT_BOOKINGS, BOOKINGS_EACH = 100_000, 100_000, 9
LOAD_SECONDS = 10
BATCH, LANES = 32, 4
PASS_SECONDS = 120
PASS_METRIC = "boxoffice_reconciled_seconds "
NEVER, ALWAYS = "3600", "0.1"

FILL = f"""
    INSERT INTO events.events (id, name, total_seats, status) OVERRIDING SYSTEM VALUE
    SELECT i, 'Event ' || i, CASE WHEN i = 1 THEN 1000000 ELSE 100 END, 'PUBLISHED'
    FROM generate_series(1, {EVENTS}) AS i;

    INSERT INTO events.outbox (sequence, event_id)
    SELECT i, i
    FROM generate_series(1, {EVENTS}) AS i;

    UPDATE events.head SET sequence = {EVENTS};

    UPDATE bookings.following
    SET (epoch, sequence) = (SELECT epoch, sequence FROM events.head);

    INSERT INTO bookings.inventory (
        event_id, capacity, sold, live_bookings, rev, epoch, catalogue_rev, verdict, name, status,
        deleted
    )
    SELECT
        id, total_seats, booked, booked, booked + 1, epoch, revision, 'APPLIED', name, status, false
    FROM events.events, events.head, LATERAL (
        SELECT {BOOKINGS_EACH} + CASE WHEN id = 1 THEN {HOT_BOOKINGS} ELSE 0 END AS booked
    ) AS counted;

    INSERT INTO bookings.ledger (event_id, rev, kind, seats, capacity, at)
    SELECT event_id, 1, 'OPENED', 0, capacity, now()
    FROM bookings.inventory;

    INSERT INTO bookings.bookings (
        event_id, id, reference, user_id, status, exclusive, seat_count, created_at
    )
    SELECT
        event_id, nextval('bookings.booking_id'), gen_random_uuid(), 'early-' || i, 'CONFIRMED',
        true, 1, now()
    FROM bookings.inventory, generate_series(1, sold) AS i;

    INSERT INTO bookings.ledger (event_id, rev, kind, booking_id, user_id, seats, at)
    SELECT
        event_id, 1 + row_number() OVER (PARTITION BY event_id ORDER BY id), 'RESERVED', id,
        user_id, 1, now()
    FROM bookings.bookings;

    UPDATE bookings.tallied SET after_txid = pg_current_xact_id();
"""

_users = itertools.count(1)


class System:
    """Events and bookings on a durable database with much data."""

    def __init__(self, owner_dsn: str, folder: Path) -> None:
        self._owner_dsn = owner_dsn
        dsns = migrate_all(owner_dsn, {service: f"{service}-secret" for service in SERVICES})
        ports = [f"127.0.0.1:{port}" for port in free_ports(3)]
        events_target, self.bookings_target, self.metrics = ports
        self._settings = {
            "BOXOFFICE_OPEN_ACCESS": "true",
            "BOXOFFICE_SERVICE_KEY": "the-key-of-services",
            "BOXOFFICE_LOG_SAMPLE": "0",
            "EVENTS_DATABASE_URL": dsns["events"],
            "EVENTS_LISTEN": events_target,
            "EVENTS_BOOKINGS_TARGET": self.bookings_target,
            "BOOKINGS_DATABASE_URL": dsns["bookings"],
            "BOOKINGS_LISTEN": self.bookings_target,
            "BOOKINGS_EVENTS_TARGET": events_target,
            "BOOKINGS_METRICS_LISTEN": self.metrics,
        }
        self._folder = folder

    @contextlib.contextmanager
    def running(self, service: str, *, pause: str = NEVER) -> Iterator[Process]:
        """Runs a service while the block runs; bookings pauses between two passes."""
        settings = self._settings | {"BOOKINGS_RECONCILE_SECONDS": pause}
        log = self._folder / f"{service}.log"
        process = Process(service, f"services.{service}", settings, log)
        process.start()
        try:
            yield process
        finally:
            process.terminate()
            process.ended()

    def pass_seconds(self) -> float:
        """Waits for the end of a pass; returns its seconds."""
        until(lambda: self._last_pass() > 0, seconds=PASS_SECONDS)
        return self._last_pass()

    def forget_audits(self) -> None:
        """Makes the next pass count everything again."""
        with psycopg.connect(self._owner_dsn) as connection:
            connection.execute("TRUNCATE bookings.audits")

    def fill(self) -> None:
        """Inserts all events and bookings."""
        with psycopg.connect(self._owner_dsn, autocommit=True) as connection:
            connection.execute("BEGIN;" + FILL + "COMMIT")
            connection.execute("VACUUM ANALYZE")

    def drifting(self) -> int:
        """Counts the frozen events; there should be none."""
        with psycopg.connect(self._owner_dsn) as connection:
            query = "SELECT count(*) FROM bookings.inventory WHERE frozen <> ''"
            [(found,)] = connection.execute(query).fetchall()
        return int(found)

    def _last_pass(self) -> float:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as page:
                lines = page.read().decode().splitlines()
            [line] = [line for line in lines if line.startswith(PASS_METRIC)]
            return float(line.removeprefix(PASS_METRIC))
        return 0.0


async def sell(target: str) -> tuple[float, float, float]:
    """Reserves seats of the hot event for a time; returns seats per second, p50 and p99 in ms."""
    took: list[float] = []
    sold = 0
    end = time.monotonic() + LOAD_SECONDS
    async with grpc.aio.insecure_channel(target) as channel:
        await channel.channel_ready()
        service = batch_pb2_grpc.BatchServiceStub(channel)

        async def lane() -> None:
            nonlocal sold
            while time.monotonic() < end:
                request = batch_pb2.BatchRequest(items=[_item() for _ in range(BATCH)])
                started = time.monotonic()
                response = await service.Batch(request, timeout=10)
                took.append(time.monotonic() - started)
                sold += sum(result.HasField("response") for result in response.results)

        await asyncio.gather(*(lane() for _ in range(LANES)))
    centiles = statistics.quantiles(took, n=100)
    return sold / LOAD_SECONDS, 1_000 * centiles[49], 1_000 * centiles[98]


def _item() -> batch_pb2.BatchItem:
    return item(bookings_pb2.ReserveRequest(event_id=1, user_id=f"user-{next(_users)}"))


def measure(system: System) -> None:
    """Prints a line for each case."""
    print(f"{'case':<34}{'pass s':>8}{'seats/s':>9}{'p50 ms':>8}{'p99 ms':>8}")
    with system.running("events"):
        with system.running("bookings"):
            _print("everything to count", system.pass_seconds(), None)
            _print("no pass running", None, asyncio.run(sell(system.bookings_target)))
        system.forget_audits()
        with system.running("bookings"):
            load = asyncio.run(sell(system.bookings_target))
            _print("everything to count, selling", system.pass_seconds(), load)
            _print("no pass running, again", None, asyncio.run(sell(system.bookings_target)))
        with system.running("bookings", pause=ALWAYS):
            _print("nothing to count", system.pass_seconds(), None)
            load = asyncio.run(sell(system.bookings_target))
            _print("one pass after another, selling", system.pass_seconds(), load)
    print("events that drift:", system.drifting())


def _print(case: str, seconds: float | None, load: tuple[float, float, float] | None) -> None:
    figures = f"{load[0]:>9.0f}{load[1]:>8.1f}{load[2]:>8.1f}" if load else ""
    print(f"{case:<34}{'' if seconds is None else f'{seconds:.2f}':>8}{figures}", flush=True)


def main() -> None:
    """Runs everything on a temporary server."""
    with tempfile.TemporaryDirectory(prefix="boxoffice-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder)
        try:
            with server:
                system = System(server.create_database("boxoffice"), folder)
                started = time.monotonic()
                system.fill()
                print(f"filled in {time.monotonic() - started:.0f} s", flush=True)
                measure(system)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
