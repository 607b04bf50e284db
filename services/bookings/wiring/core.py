"""What all rooms of bookings are built on."""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import grpc

from boxoffice.accounts.v1.notices_pb2 import Notice
from boxoffice.audit.v1.audit_pb2 import AUDITED_SERVICE_BOOKINGS
from services.bookings.accounts_client import AccountFinder, AccountsClient
from services.bookings.catalogue.events_client import EventsClient
from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.plans import Plans
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.inventory import Inventory, routing, store
from services.bookings.inventory.limits import HoldLimits
from services.bookings.inventory.measuring import Measurements
from services.bookings.inventory.restoring import Restores
from services.bookings.settings import Settings
from services.bookings.tail import DistributedLedgerTail, LedgerTail
from services.kit.auth.issuer_client import IssuerClient
from services.kit.database import postgres
from services.kit.process.workers import repeat
from services.kit.rpc.channel import open_channel
from services.kit.server.service import Service
from services.kit.tls.grpc_channel import client_tls

Workers = Sequence[Coroutine[Any, Any, None]]
NoticeT = TypeVar("NoticeT")


@dataclass(frozen=True, slots=True)
class Core:
    """The server, the connections, and the inventory with what it knows of events."""

    settings: Settings
    service: Service
    pool: postgres.Pool
    lane_pool: postgres.Pool
    """For the transactions that change inventories."""
    tail_pool: postgres.Pool
    """For the tails, which read all the time while somebody watches."""
    accounts: grpc.aio.Channel
    events: EventsClient
    plans: Plans
    inventory: Inventory
    follower: Follower
    catalogue: Catalogue
    tail: LedgerTail

    @property
    def open_access(self) -> bool:
        """Whether requests without credentials may book."""
        return self.settings.open_access

    def mailing(self, message: Callable[[NoticeT], Notice]) -> AccountsClient[NoticeT]:
        """Returns a client that mails the notices of a room; `message` converts one."""
        return AccountsClient(self.accounts, self.settings.service_key, message)

    def account_finder(self) -> AccountFinder:
        """Returns a client that finds accounts by their address."""
        return AccountFinder(self.accounts, self.settings.service_key)

    def workers(self) -> Workers:
        """Returns the workers that follow the catalogue and tend the inventory."""
        inventory, follower = self.inventory, self.follower
        reconciler = Reconciler(self.pool, inventory, follower, self.events)
        return (
            repeat(follower.follow, every_seconds=0.25),
            repeat(reconciler.reconcile, every_seconds=self.settings.reconcile_seconds),
            repeat(Measurements(self.pool).measure, every_seconds=15),
            repeat(Restores(self.pool).raise_revisions, every_seconds=5),
            repeat(inventory.close_chunk, every_seconds=1),
            repeat(inventory.refund_chunk, every_seconds=1),
            repeat(inventory.sweep, every_seconds=1),
            repeat(inventory.forget_keys, every_seconds=60),
            repeat(self.tail.follow, every_seconds=0.25),
            self.tail.end(self.service.is_stopping),
        )


@contextlib.asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Listens, and opens what all rooms share, while the block runs."""
    tls = client_tls(settings.channel_tls)
    accounts = open_channel(settings.accounts_target, tls)
    key = settings.service_key
    service = Service(settings, IssuerClient(accounts, key, environment=settings.environment))
    open_pool = partial(
        postgres.open_pool,
        settings.database_url,
        schema="bookings",
        pooled=settings.database_pooled,
    )
    session = routing.SESSION if settings.distributed else store.SESSION
    async with (
        accounts,
        open_channel(settings.events_target, tls) as channel,
        open_pool(size=(settings.pool_size + 1) // 2) as pool,
        open_pool(size=settings.pool_size // 2, name="lane", session=session) as lane_pool,
        open_pool(size=1) as tail_pool,
    ):
        service.add_audit(pool, AUDITED_SERVICE_BOOKINGS)
        if settings.distributed:
            await postgres.wait_until_reachable(pool)
            await routing.expect_distributed(pool)
        events = EventsClient(channel, key)
        plans = Plans(pool, events.get_seat_plan)
        inventory = Inventory(
            pool,
            lane_pool,
            offer_seconds=settings.offer_seconds,
            plans=plans,
            limits=_limits(settings),
            distributed=settings.distributed,
        )
        yield Core(
            settings,
            service,
            pool,
            lane_pool,
            tail_pool,
            accounts,
            events,
            plans,
            inventory,
            Follower(pool, events, inventory),
            Catalogue(events.get_state, inventory),
            (DistributedLedgerTail if settings.distributed else LedgerTail)(tail_pool),
        )


def _limits(settings: Settings) -> HoldLimits:
    return HoldLimits(
        settings.hold_seconds,
        settings.extended_hold_seconds,
        settings.held_seats,
        settings.ended_holds,
        settings.ended_holds_seconds,
    )
