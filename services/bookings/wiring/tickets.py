"""The rooms of tickets and reports."""

from datetime import timedelta

from boxoffice.bookings.v1 import reports_pb2_grpc, tickets_pb2_grpc
from services.bookings.reports.reports import Reports
from services.bookings.reports.servicer import ReportsServicer
from services.bookings.reports.sheets import Sheets
from services.bookings.settings import Settings
from services.bookings.tickets import letter_messages
from services.bookings.tickets.details import DoorTimes
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.keys import TicketKeys
from services.bookings.tickets.letters import TicketLetters
from services.bookings.tickets.servicer import TicketsServicer
from services.bookings.tickets.tickets import Tickets
from services.bookings.wiring.core import Core, Workers
from services.kit.process.workers import repeat

RESTING = 2
"""How much longer the worker that draws tickets rests: requests have most of the processor."""


def serve_tickets(core: Core) -> Workers:
    """Serves tickets, their documents and letters, and check-in."""
    pool, plans = core.pool, core.plans
    keys, door = TicketKeys(pool), _door_times(core.settings)
    documents = Documents(keys, plans, door, places=core.events)
    tickets = TicketsServicer(
        pool,
        core.inventory,
        plans,
        keys=keys,
        documents=documents,
        accounts=core.account_finder(),
        door=door,
        open_access=core.open_access,
    )
    tickets_pb2_grpc.add_TicketsServiceServicer_to_server(tickets, core.service.grpc)
    core.service.add_batched(tickets.handlers)
    letters = TicketLetters(pool, Tickets(pool), documents, core.mailing(letter_messages.notice))
    return (repeat(letters.send, every_seconds=0.5, rest=RESTING),)


def serve_reports(core: Core) -> None:
    """Serves the reports of organizers, and their CSV."""
    reports = ReportsServicer(
        Reports(core.pool, core.plans), Sheets(core.pool), open_access=core.open_access
    )
    reports_pb2_grpc.add_ReportsServiceServicer_to_server(reports, core.service.grpc)


def _door_times(settings: Settings) -> DoorTimes:
    return DoorTimes(
        timedelta(seconds=settings.door_opens_seconds),
        timedelta(seconds=settings.door_closes_seconds),
    )
