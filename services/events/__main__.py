"""Runs events: `python -m services.events`. Wiring only."""

import contextlib
from collections.abc import AsyncIterator

from boxoffice.audit.v1.audit_pb2 import AUDITED_SERVICE_EVENTS
from boxoffice.events.v1 import (
    catalogue_pb2_grpc,
    events_pb2_grpc,
    movies_pb2_grpc,
    screenings_pb2_grpc,
    theaters_pb2_grpc,
)
from services.events.events import messages as events_messages
from services.events.events.bookings_client import BookingsClient
from services.events.events.changes import Changes
from services.events.events.events import Events
from services.events.events.servicer import EventsServicer
from services.events.feed.feed import Feed
from services.events.feed.servicer import CatalogueServicer
from services.events.idempotency import Idempotency
from services.events.movies import messages as movies_messages
from services.events.movies.movies import Movies
from services.events.movies.search import Search
from services.events.movies.servicer import MoviesServicer
from services.events.screenings import messages as screenings_messages
from services.events.screenings.screenings import Screenings
from services.events.screenings.servicer import ScreeningsServicer
from services.events.settings import Settings
from services.events.theaters import messages as theaters_messages
from services.events.theaters.rooms import Rooms
from services.events.theaters.servicer import TheatersServicer
from services.events.theaters.theaters import Theaters
from services.kit.auth.issuer_client import IssuerClient
from services.kit.database import postgres
from services.kit.process.workers import repeat
from services.kit.rpc.channel import open_channel
from services.kit.server.service import Service, run
from services.kit.tls.grpc_channel import client_tls

RESPONSES = {
    **events_messages.RESPONSES,
    **movies_messages.RESPONSES,
    **screenings_messages.RESPONSES,
    **theaters_messages.RESPONSES,
    **screenings_messages.RESPONSES,
}


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serves events while the block runs; yields the port."""
    tls = client_tls(settings.channel_tls)
    accounts = open_channel(settings.accounts_target, tls)
    service = Service(
        settings, IssuerClient(accounts, settings.service_key, environment=settings.environment)
    )
    pool = postgres.open_pool(
        settings.database_url,
        schema="events",
        size=settings.pool_size,
        pooled=settings.database_pooled,
    )
    async with accounts, open_channel(settings.bookings_target, tls) as channel, pool:
        bookings = BookingsClient(channel, settings.service_key)
        idempotency = Idempotency(pool, RESPONSES)
        events = Events(pool, bookings, idempotency)
        changes = Changes(pool, bookings, idempotency)
        screenings = Screenings(pool, events, bookings)
        feed, rooms = Feed(pool), Rooms(pool, idempotency)
        service.add_audit(pool, AUDITED_SERVICE_EVENTS)
        await postgres.wait_until_reachable(pool)
        await feed.begin_epoch_if_restored()
        events_pb2_grpc.add_EventsServiceServicer_to_server(
            EventsServicer(events, changes, open_access=settings.open_access), service.grpc
        )
        screenings_pb2_grpc.add_ScreeningsServiceServicer_to_server(
            ScreeningsServicer(screenings, events, changes, open_access=settings.open_access),
            service.grpc,
        )
        catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(
            CatalogueServicer(events, feed, rooms), service.grpc
        )
        movies_pb2_grpc.add_MoviesServiceServicer_to_server(
            MoviesServicer(Movies(pool, idempotency), Search(pool)), service.grpc
        )
        theaters_pb2_grpc.add_TheatersServiceServicer_to_server(
            TheatersServicer(Theaters(pool, idempotency), rooms), service.grpc
        )
        async with service.serve(
            [pool],
            repeat(changes.finish_pending, every_seconds=1),
            repeat(changes.count_pending, every_seconds=1),
            repeat(feed.forget, every_seconds=3600),
            repeat(idempotency.forget, every_seconds=3600),
        ) as port:
            yield port


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    run("events", Settings, serving)


if __name__ == "__main__":
    main()
