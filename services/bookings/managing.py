"""Records in the audit log what organizers and admins do with the bookings of others.

Users use the same methods for themselves and are not recorded. For whom a caller acts is known only
once a booking is found or a name is read, so no option of the contract can say it, as it does for
other methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from services.bookings import asks
from services.bookings.access import Viewer
from services.bookings.asks import Decider
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Book, Cancel, Command, Reserve, Withdraw
from services.bookings.inventory.seat_commands import Hold, Release, ReleaseUser
from services.kit.audit.calls import actor_of
from services.kit.audit.log import OK, Action, AuditLog
from services.kit.rpc.errors import Busy, Refusal, Unavailable
from services.kit.server.auditing import begin, finish_refused
from services.kit.server.batch import Item, Outcome


@dataclass(frozen=True, slots=True)
class ManagedAsk(Ask):
    """What an organizer or an admin asks for somebody else."""


def ask_type(viewer: Viewer, user_id: str, organizer_id: str | None = None) -> type[Ask]:
    """Returns the type of what a viewer asks for a user; see Viewer.manages."""
    return ManagedAsk if viewer.manages(user_id, organizer_id) else Ask


class ManagedBookings:
    """Answers requests of one service, and records those that are managed.

    `booking` is where its responses have the number of a new booking; 0 there means that there is
    none, as for users who wait.
    """

    def __init__(
        self, log: AuditLog, decider: Decider, service: ServiceDescriptor, booking: str
    ) -> None:
        self._log = log
        self._decider = decider
        self._actions = {
            method.output_type.full_name: f"{service.name}.{method.name}"
            for method in service.methods
        }
        self._booking = attrgetter(booking)

    async def answer(
        self,
        items: Sequence[Item[Any]],
        asked: Sequence[Ask | Refusal],
        response: type[Message],
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        """See asks.answer. An entry is stored before, the outcome after; or the ask is refused.

        With `skip_busy` a managed ask is Busy: nobody else of the batch waits for its entry, and it
        has one entry though its event was locked.
        """
        action = self._actions[response.DESCRIPTOR.full_name]
        numbers: dict[int, int] = {}
        admitted = list(asked)
        for index, (item, ask) in enumerate(zip(items, asked, strict=True)):
            if isinstance(ask, ManagedAsk):
                try:
                    numbers[index] = await self._begin(action, item, ask, skip_busy=skip_busy)
                except Unavailable as refusal:
                    admitted[index] = refusal
        outcomes = await asks.answer(self._decider, admitted, response, skip_busy=skip_busy)
        for index, number in numbers.items():
            await self._finish(number, asked[index], outcomes[index])
        return outcomes

    async def _begin(self, action: str, item: Item[Any], ask: Ask, *, skip_busy: bool) -> int:
        """Stores the entry; raises Unavailable, or Busy."""
        if skip_busy:
            raise Busy
        target = _target(ask.command)
        actor = actor_of(item.caller)
        return await begin(self._log, Action(actor, action, target, request_id=item.request_id))

    async def _finish(self, number: int, ask: Ask | Refusal, outcome: Outcome) -> None:
        if isinstance(outcome, Refusal):
            await finish_refused(self._log, number, outcome)
        else:
            await self._log.finish(number, OK, self._created(ask, outcome))

    def _created(self, ask: Ask | Refusal, outcome: Outcome) -> str | None:
        """Names the booking that was made; a stored response is no message, and made nothing."""
        books = isinstance(ask, Ask) and isinstance(ask.command, Reserve | Book | Hold)
        number = self._booking(outcome) if books and isinstance(outcome, Message) else 0
        return f"booking/{number}" if number else None


def _target(command: Command) -> str:
    """Names the booking that a command is about, else the user at the event."""
    if isinstance(command, Cancel | Release):
        return f"booking/{command.booking_id}"
    if isinstance(command, Reserve | Book | Withdraw | Hold | ReleaseUser):
        return f"event/{command.event_id}/user/{command.user_id}"
    raise TypeError(f"{command} is about no booking")
