"""Records in the audit log what organizers and admins do with the bookings of others.

Holders use the same methods and are not recorded. Who of them asks is known only once a booking is
found, so no option of the contract can say it, as it does for other methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.bookings import asks
from services.bookings.asks import Decider
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Cancel
from services.bookings.inventory.seat_commands import Release
from services.kit.audit.calls import actor_of
from services.kit.audit.log import OK, Action, AuditLog
from services.kit.rpc.errors import Refusal, Unavailable
from services.kit.server.auditing import begin, finish_refused
from services.kit.server.batch import Item, Outcome


@dataclass(frozen=True, slots=True)
class ManagedAsk(Ask):
    """What an organizer or an admin asks for the booking of somebody else."""


class ManagedBookings:
    """Answers requests of one method, and records those that are managed."""

    def __init__(self, log: AuditLog, decider: Decider, action: str) -> None:
        self._log = log
        self._decider = decider
        self._action = action

    async def answer(
        self,
        items: Sequence[Item[Any]],
        asked: Sequence[Ask | Refusal],
        response: type[Message],
        *,
        skip_busy: bool,
    ) -> Sequence[Outcome]:
        """See asks.answer. An entry is stored before, the outcome after; or the ask is refused."""
        numbers: dict[int, int] = {}
        admitted = list(asked)
        for index, (item, ask) in enumerate(zip(items, asked, strict=True)):
            if isinstance(ask, ManagedAsk):
                try:
                    numbers[index] = await begin(self._log, self._done(item, ask))
                except Unavailable as refusal:
                    admitted[index] = refusal
        outcomes = await asks.answer(self._decider, admitted, response, skip_busy=skip_busy)
        for index, number in numbers.items():
            await self._finish(number, outcomes[index])
        return outcomes

    def _done(self, item: Item[Any], ask: ManagedAsk) -> Action:
        command = ask.command
        if not isinstance(command, Cancel | Release):
            raise TypeError(f"{command} is about no booking")
        target = f"booking/{command.booking_id}"
        return Action(actor_of(item.caller), self._action, target, request_id=item.request_id)

    async def _finish(self, number: int, outcome: Outcome) -> None:
        if isinstance(outcome, Refusal):
            await finish_refused(self._log, number, outcome)
        else:
            await self._log.finish(number, OK)
