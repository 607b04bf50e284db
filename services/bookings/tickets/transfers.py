"""Transfers: a user gives a ticket to somebody else."""

from typing import Protocol
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.errors import AlreadyUsed, TicketNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.seat_commands import Transfer
from services.bookings.tickets import door_messages, messages
from services.bookings.tickets.details import TicketDetails
from services.bookings.tickets.tickets import Tickets
from services.kit.rpc.errors import Refusal, ValidationFailed, Violation


class Accounts(Protocol):
    """The service accounts, which knows addresses."""

    async def find_account(self, email: str) -> str:
        """Returns the account with a verified address; raises UserNotFound and other refusals."""


class Transfers:
    """Finds who gets a ticket. The core decides under the lock of the event."""

    def __init__(self, tickets: Tickets, accounts: Accounts) -> None:
        self._tickets = tickets
        self._accounts = accounts

    async def ask_for(self, ticket_id: UUID, email: str, viewer: Viewer, request_id: str) -> Ask:
        """Asks for a transfer.

        Only who could transfer the ticket learns whether an address has an account. A request with
        a key may repeat one that was done, after which the ticket is not the caller's any more: the
        core finds its response, or refuses.
        """
        ticket = await self._tickets.find(ticket_id)
        key = idempotency_key(viewer, "transfer_ticket", request_id, ticket_id, email)
        user_id, to_user_id = viewer.caller.subject or "", ""
        if ticket.user_id == user_id:
            to_user_id = await self._recipient(ticket, email)
        elif key is None:
            raise TicketNotFound
        command = Transfer(ticket.event_id, ticket.booking_id, user_id, to_user_id)
        return Ask(command, key, messages.transfer_response, _explain)

    async def _recipient(self, ticket: TicketDetails, email: str) -> str:
        """Finds the account that gets a ticket.

        Raises what the core would refuse with, UserNotFound, ValidationFailed for the owner's own
        address, and Unavailable if accounts is down.
        """
        ticket.expect_to_admit()
        if used := [at for at in ticket.used_at if at]:
            raise _explain(AlreadyUsed(used_at=min(used)))
        found = await self._accounts.find_account(email)
        if found == ticket.user_id:
            raise ValidationFailed(violations=[Violation("email", "must not be your own address")])
        return found


def _explain(refusal: Refusal) -> Refusal:
    return door_messages.explain(refusal) if isinstance(refusal, AlreadyUsed) else refusal
