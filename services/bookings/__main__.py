"""Runs bookings: `python -m services.bookings`. Wiring only."""

import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import grpc

from boxoffice.audit.v1.audit_pb2 import AUDITED_SERVICE_BOOKINGS
from boxoffice.bookings.v1 import (
    bookings_pb2_grpc,
    feed_pb2_grpc,
    inventory_pb2_grpc,
    live_pb2_grpc,
    payments_pb2_grpc,
    queue_pb2_grpc,
    reports_pb2_grpc,
    seats_pb2_grpc,
    tickets_pb2_grpc,
    waiting_list_pb2_grpc,
    webhooks_pb2_grpc,
)
from services.bookings.accounts_client import AccountFinder, AccountsClient
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.events_client import EventsClient
from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.plans import Plans
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.catalogue.reconciling import Reconciler
from services.bookings.catalogue.servicer import InventoryServicer
from services.bookings.feed.changes import Changes
from services.bookings.feed.servicer import FeedServicer
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory, store
from services.bookings.inventory.limits import HoldLimits
from services.bookings.inventory.measuring import Measurements
from services.bookings.inventory.restoring import Restores
from services.bookings.live.live import Live
from services.bookings.live.servicer import LiveServicer
from services.bookings.payments.attempts import Attempts
from services.bookings.payments.backlog import Backlog
from services.bookings.payments.looks import Looks
from services.bookings.payments.payments import Payments
from services.bookings.payments.provider import Provider
from services.bookings.payments.provider_events import ProviderEvents
from services.bookings.payments.providers import Providers
from services.bookings.payments.refunds import Refunds
from services.bookings.payments.sandbox import Sandbox
from services.bookings.payments.sandbox_webhooks import SandboxWebhooks
from services.bookings.payments.servicer import PaymentsServicer
from services.bookings.queue.admissions import Admissions
from services.bookings.queue.queues import Queues
from services.bookings.queue.servicer import QueueLineServicer, QueueServicer
from services.bookings.queue.tail import QueueTail
from services.bookings.queue.watching import QueueWatches
from services.bookings.rankings.rankings import Rankings
from services.bookings.reports.reports import Reports
from services.bookings.reports.servicer import ReportsServicer
from services.bookings.reports.sheets import Sheets
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from services.bookings.reservations.servicer import BookingsServicer
from services.bookings.seats.servicer import SeatsServicer
from services.bookings.settings import Settings
from services.bookings.tail import LedgerTail
from services.bookings.tickets import messages as ticket_messages
from services.bookings.tickets.details import DoorTimes
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.keys import TicketKeys
from services.bookings.tickets.letters import TicketLetters
from services.bookings.tickets.servicer import TicketsServicer
from services.bookings.tickets.tickets import Tickets
from services.bookings.waiting_list import messages as waiting_list_messages
from services.bookings.waiting_list.notices import Notices
from services.bookings.waiting_list.servicer import WaitingListServicer
from services.bookings.webhooks import messages as webhook_messages
from services.bookings.webhooks.deliveries import Deliveries
from services.bookings.webhooks.letters import WebhookLetters
from services.bookings.webhooks.sending import open_sender
from services.bookings.webhooks.servicer import WebhooksServicer
from services.bookings.webhooks.webhooks import Webhooks
from services.kit.auth.issuer_client import IssuerClient
from services.kit.database import postgres
from services.kit.process.workers import repeat
from services.kit.rpc.channel import open_channel
from services.kit.server.service import Service, run
from services.kit.tls.grpc_channel import client_tls

DELIVERING = 4
"""Webhooks that changes are sent to at once."""
ASKING = 4
"""Attempts to pay, and refunds, that each provider is asked about at once."""

RESTING = 2
"""How much longer the worker that draws tickets rests: requests have most of the processor."""


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serves bookings while the block runs; yields the port."""
    tls = client_tls(settings.channel_tls)
    accounts = open_channel(settings.accounts_target, tls)
    key, open_access = settings.service_key, settings.open_access
    service = Service(settings, IssuerClient(accounts, key, environment=settings.environment))
    open_pool = partial(postgres.open_pool, settings.database_url, schema="bookings")
    pool = open_pool(size=(settings.pool_size + 1) // 2)
    lane_pool = open_pool(size=settings.pool_size // 2, name="lane", session=store.SESSION)
    async with (
        accounts,
        open_channel(settings.events_target, tls) as events,
        pool,
        lane_pool,
        open_pool(size=1) as tail_pool,
        _changes_sent(settings, pool, service, accounts) as sending,
        _stripe_opened(settings) as stripe,
    ):
        feed, rankings = EventsClient(events, key), Rankings(pool)
        plans = Plans(pool, feed.get_seat_plan)
        offers, limits = settings.offer_seconds, _limits(settings)
        inventory = Inventory(pool, lane_pool, offer_seconds=offers, plans=plans, limits=limits)
        follower, catalogue = Follower(pool, feed, inventory), Catalogue(feed.get_state, inventory)
        reconciler = Reconciler(pool, inventory, follower, feed)
        notices = Notices(pool, AccountsClient(accounts, key, waiting_list_messages.notice))
        bookings = BookingsServicer(pool, inventory, catalogue, rankings, open_access=open_access)
        tail = LedgerTail(tail_pool)
        waiting_list = WaitingListServicer(
            pool, inventory, catalogue, tail, open_access=open_access
        )
        live = LiveServicer(Live(pool, tail), Availability(inventory, catalogue))
        live_pb2_grpc.add_LiveServiceServicer_to_server(live, service.grpc)
        reservations = Reservations(inventory, catalogue)
        seats = SeatsServicer(pool, reservations, catalogue, plans, open_access=open_access)
        operators = InventoryServicer(inventory, follower, Cancellations(pool, inventory).cancel)
        bookings_pb2_grpc.add_BookingsServiceServicer_to_server(bookings, service.grpc)
        keys, door = TicketKeys(pool), _door_times(settings)
        documents = Documents(keys, plans, door, places=feed)
        mailing = AccountsClient(accounts, key, ticket_messages.notice)
        letters = TicketLetters(pool, Tickets(pool), documents, mailing)
        tickets = TicketsServicer(
            pool,
            inventory,
            plans,
            keys=keys,
            documents=documents,
            accounts=AccountFinder(accounts, key),
            door=door,
            open_access=open_access,
        )
        tickets_pb2_grpc.add_TicketsServiceServicer_to_server(tickets, service.grpc)
        reports = ReportsServicer(Reports(pool, plans), Sheets(pool), open_access=open_access)
        reports_pb2_grpc.add_ReportsServiceServicer_to_server(reports, service.grpc)
        seats_pb2_grpc.add_SeatsServiceServicer_to_server(seats, service.grpc)
        waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server(waiting_list, service.grpc)
        inventory_pb2_grpc.add_InventoryServiceServicer_to_server(operators, service.grpc)
        queues, availability = Queues(pool), Availability(inventory, catalogue)
        queue = QueueServicer(queues, inventory, availability, open_access=open_access)
        queue_pb2_grpc.add_QueueServiceServicer_to_server(queue, service.grpc)
        queue_tail = QueueTail(tail_pool)
        lines = QueueLineServicer(queues, QueueWatches(pool, queue_tail), availability)
        queue_pb2_grpc.add_QueueLineServiceServicer_to_server(lines, service.grpc)
        service.add_audit(pool, AUDITED_SERVICE_BOOKINGS)
        admissions = Admissions(pool)
        service.add_batches(
            {**bookings.handlers, **waiting_list.handlers, **seats.handlers, **queue.handlers}
        )
        async with service.serve(
            [pool, lane_pool],
            repeat(follower.follow, every_seconds=0.25),
            repeat(reconciler.reconcile, every_seconds=settings.reconcile_seconds),
            repeat(Measurements(pool).measure, every_seconds=15),
            repeat(rankings.roll_up, every_seconds=1),
            repeat(notices.send, every_seconds=1),
            repeat(letters.send, every_seconds=0.5, rest=RESTING),
            repeat(inventory.close_chunk, every_seconds=1),
            repeat(inventory.refund_chunk, every_seconds=1),
            repeat(inventory.sweep, every_seconds=1),
            repeat(inventory.forget_keys, every_seconds=60),
            repeat(Restores(pool).raise_revisions, every_seconds=5),
            repeat(admissions.admit, every_seconds=1),
            repeat(admissions.draw, every_seconds=1),
            repeat(admissions.sweep, every_seconds=5),
            repeat(tail.follow, every_seconds=0.25),
            repeat(queue_tail.follow, every_seconds=0.25),
            tail.end(service.is_stopping),
            queue_tail.end(service.is_stopping),
            *sending,
            *_payments_taken(settings, pool, inventory, service, stripe),
        ) as port:
            yield port


@contextlib.asynccontextmanager
async def _changes_sent(
    settings: Settings, pool: postgres.Pool, service: Service, accounts: grpc.aio.Channel
) -> AsyncIterator[Sequence[Coroutine[Any, Any, None]]]:
    """Serves the feed of changes and webhooks while the block runs; yields their workers."""
    public_only = settings.environment == "production"
    async with open_sender(public_only=public_only) as sender:
        tail, changes = Tail(pool), Changes(pool)
        webhooks = WebhooksServicer(Webhooks(pool), changes, public_only=public_only)
        feed_pb2_grpc.add_FeedServiceServicer_to_server(FeedServicer(changes, tail), service.grpc)
        webhooks_pb2_grpc.add_WebhooksServiceServicer_to_server(webhooks, service.grpc)
        deliveries = Deliveries(pool, changes, sender)
        mailing = AccountsClient(accounts, settings.service_key, webhook_messages.notice)
        yield (
            repeat(tail.advance, every_seconds=0.25),
            repeat(tail.forget, every_seconds=60),
            repeat(deliveries.measure, every_seconds=15),
            repeat(WebhookLetters(pool, mailing).send, every_seconds=1),
            *(repeat(deliveries.deliver, every_seconds=1) for _ in range(DELIVERING)),
        )


@contextlib.asynccontextmanager
async def _stripe_opened(settings: Settings) -> AsyncIterator[Sequence[Provider]]:
    """Opens Stripe while the block runs, if it is configured."""
    if "stripe" not in settings.payment_providers:
        yield []
        return
    # Its library is an extra, and slow to import.
    from services.bookings.payments.stripe import Account, open_stripe

    account = Account(
        settings.stripe_api_key,
        settings.stripe_webhook_secrets,
        settings.stripe_return_url,
        settings.stripe_api_url,
    )
    async with open_stripe(account) as stripe:
        yield [stripe]


def _payments_taken(
    settings: Settings,
    pool: postgres.Pool,
    inventory: Inventory,
    service: Service,
    others: Sequence[Provider],
) -> Sequence[Coroutine[Any, Any, None]]:
    """Serves payments; returns their workers."""
    sandbox = Sandbox(pool, settings.sandbox_secret)
    known: dict[str, Provider] = {each.name: each for each in (sandbox, *others)}
    names = settings.payment_providers
    taking = [known[name] for name in names]
    providers = Providers(taking)
    attempts = Attempts(pool, inventory, providers)
    events = ProviderEvents(attempts, providers)
    payments = PaymentsServicer(
        inventory, Payments(pool, providers), attempts, events, open_access=settings.open_access
    )
    payments_pb2_grpc.add_PaymentsServiceServicer_to_server(payments, service.grpc)
    webhooks = SandboxWebhooks(pool, sandbox, events.receive)
    looks = [Looks(pool, attempts, provider).look for provider in taking]
    refunds = [Refunds(pool, inventory, provider).pay_back for provider in taking]
    return [
        repeat(Backlog(pool, providers).measure, every_seconds=15),
        *(repeat(ask, every_seconds=1) for ask in (*looks, *refunds) for _ in range(ASKING)),
        *([repeat(webhooks.send, every_seconds=0.25)] if sandbox.name in names else []),
    ]


def _limits(settings: Settings) -> HoldLimits:
    return HoldLimits(
        settings.hold_seconds,
        settings.extended_hold_seconds,
        settings.held_seats,
        settings.ended_holds,
        settings.ended_holds_seconds,
    )


def _door_times(settings: Settings) -> DoorTimes:
    return DoorTimes(
        timedelta(seconds=settings.door_opens_seconds),
        timedelta(seconds=settings.door_closes_seconds),
    )


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    run("bookings", Settings, serving)


if __name__ == "__main__":
    main()
