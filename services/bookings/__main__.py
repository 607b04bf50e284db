"""Runs bookings: `python -m services.bookings`. Wiring only."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial

from boxoffice.bookings.v1 import (
    bookings_pb2_grpc,
    inventory_pb2_grpc,
    waiting_list_pb2_grpc,
)
from boxoffice.events.v1 import catalogue_pb2_grpc
from services.bookings.catalogue.event_keys import Keys
from services.bookings.catalogue.events_client import EventsClient
from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.inventory import Inventory, store
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations.availability import Availability
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reading import Bookings
from services.bookings.reservations.reservations import Reservations
from services.bookings.reservations.servicer import BookingsServicer, InventoryServicer
from services.bookings.settings import Settings
from services.bookings.waiting_list.accounts_client import AccountsClient
from services.bookings.waiting_list.notices import Notices
from services.bookings.waiting_list.servicer import WaitingListServicer
from services.bookings.waiting_list.waiting_list import WaitingList
from services.kit.auth.accounts_client import Identity
from services.kit.database import postgres
from services.kit.process.workers import repeat
from services.kit.rpc.channel import open_channel
from services.kit.server.service import Service, run


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serves bookings while the block runs; gives the port."""
    accounts = open_channel(settings.accounts_target)
    service = Service(
        settings, Identity(accounts, settings.service_key, environment=settings.environment)
    )
    open_pool = partial(postgres.open_pool, settings.database_url, schema="bookings")
    pool = open_pool(size=(settings.pool_size + 1) // 2)
    deciding = open_pool(size=settings.pool_size // 2, session=store.SESSION)
    channel = open_channel(settings.events_target)
    async with accounts, channel, pool, deciding:
        events = EventsClient(
            catalogue_pb2_grpc.CatalogueServiceStub(channel), settings.service_key
        )
        inventory = Inventory(pool, deciding, offer_seconds=settings.offer_seconds)
        rankings, follower = Rankings(pool), Follower(pool, events, inventory)
        reconciler = Reconciler(pool, inventory, follower, events)
        catalogue = Catalogue(events.get_state, inventory)
        keys = Keys(pool, catalogue)
        waiting_list = WaitingList(pool, keys, inventory)
        notices = Notices(pool, AccountsClient(accounts, settings.service_key))
        reservations = Reservations(inventory, catalogue)
        cancellations = Cancellations(pool, inventory)
        servicer = BookingsServicer(
            reservations,
            Availability(inventory, catalogue),
            Bookings(pool, catalogue),
            cancellations,
            rankings,
            open_access=settings.open_access,
        )
        waiting_list_servicer = WaitingListServicer(
            reservations, waiting_list, keys, inventory, open_access=settings.open_access
        )
        bookings_pb2_grpc.add_BookingsServiceServicer_to_server(servicer, service.grpc)
        inventory_pb2_grpc.add_InventoryServiceServicer_to_server(
            InventoryServicer(inventory, follower, cancellations), service.grpc
        )
        waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server(
            waiting_list_servicer, service.grpc
        )
        service.add_batches({**servicer.handlers, **waiting_list_servicer.handlers})
        async with service.serve(
            [pool, deciding],
            repeat(follower.follow, every_seconds=0.25),
            repeat(reconciler.reconcile, every_seconds=settings.reconcile_seconds),
            repeat(rankings.roll_up, every_seconds=1),
            repeat(notices.send, every_seconds=1),
            repeat(inventory.close_chunk, every_seconds=1),
            repeat(inventory.sweep, every_seconds=1),
            repeat(inventory.forget_keys, every_seconds=60),
        ) as port:
            yield port


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    run("bookings", Settings, serving)


if __name__ == "__main__":
    main()
