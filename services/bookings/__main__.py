"""Runs bookings: `python -m services.bookings`. What its rooms are built of is in `wiring`."""

import contextlib
from collections.abc import AsyncIterator

from services.bookings.settings import Settings
from services.bookings.wiring.booking import serve_bookings
from services.bookings.wiring.changes import changes_sent, serve_live
from services.bookings.wiring.core import open_core
from services.bookings.wiring.payments import payments_taken
from services.bookings.wiring.tickets import serve_reports, serve_tickets
from services.kit.server.service import run


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serves bookings while the block runs; yields the port."""
    async with (
        open_core(settings) as core,
        changes_sent(core) as sending,
        payments_taken(core) as paying,
    ):
        serve_live(core)
        serve_reports(core)
        async with core.service.serve(
            [core.pool, core.lane_pool],
            *core.workers(),
            *serve_bookings(core),
            *serve_tickets(core),
            *sending,
            *paying,
        ) as port:
            yield port


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    run("bookings", Settings, serving)


if __name__ == "__main__":
    main()
