"""The gRPC services whose endpoints the gateway serves. A new one is added to SERVICES."""

from google.protobuf.descriptor import ServiceDescriptor

from boxoffice.accounts.v1 import accounts_pb2, api_keys_pb2, identity_pb2
from boxoffice.audit.v1 import audit_pb2
from boxoffice.bookings.v1 import (
    bookings_pb2,
    feed_pb2,
    live_pb2,
    payments_pb2,
    queue_pb2,
    reports_pb2,
    seats_pb2,
    tickets_pb2,
    waiting_list_pb2,
    webhooks_pb2,
)
from boxoffice.events.v1 import events_pb2, movies_pb2, screenings_pb2, theaters_pb2

EVENTS = events_pb2.DESCRIPTOR.services_by_name["EventsService"]
MOVIES = movies_pb2.DESCRIPTOR.services_by_name["MoviesService"]
THEATERS = theaters_pb2.DESCRIPTOR.services_by_name["TheatersService"]
SCREENINGS = screenings_pb2.DESCRIPTOR.services_by_name["ScreeningsService"]
BOOKINGS = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]
WAITING_LIST = waiting_list_pb2.DESCRIPTOR.services_by_name["WaitingListService"]
SEATS = seats_pb2.DESCRIPTOR.services_by_name["SeatsService"]
TICKETS = tickets_pb2.DESCRIPTOR.services_by_name["TicketsService"]
LIVE = live_pb2.DESCRIPTOR.services_by_name["LiveService"]
QUEUE = queue_pb2.DESCRIPTOR.services_by_name["QueueService"]
PAYMENTS = payments_pb2.DESCRIPTOR.services_by_name["PaymentsService"]
REPORTS = reports_pb2.DESCRIPTOR.services_by_name["ReportsService"]
FEED = feed_pb2.DESCRIPTOR.services_by_name["FeedService"]
WEBHOOKS = webhooks_pb2.DESCRIPTOR.services_by_name["WebhooksService"]
ACCOUNTS = accounts_pb2.DESCRIPTOR.services_by_name["AccountsService"]
API_KEYS = api_keys_pb2.DESCRIPTOR.services_by_name["ApiKeysService"]
IDENTITY = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"]
AUDIT = audit_pb2.DESCRIPTOR.services_by_name["AuditService"]
"""Served by every process, each for its own entries."""
SERVICES = (
    EVENTS,
    MOVIES,
    THEATERS,
    SCREENINGS,
    BOOKINGS,
    WAITING_LIST,
    SEATS,
    TICKETS,
    LIVE,
    QUEUE,
    PAYMENTS,
    REPORTS,
    FEED,
    WEBHOOKS,
    ACCOUNTS,
    API_KEYS,
    IDENTITY,
    AUDIT,
)


def process_of(service: ServiceDescriptor) -> str:
    """Returns the name of the process of a service: boxoffice.`events`.v1.EventsService."""
    return service.full_name.split(".")[1]
