"""The seat plans that decisions use. Each is in memory before a command needs it.

A command whose plan is missing is not decided: Inventory loads the plan outside any transaction and
sends the command again.
"""

from typing import Protocol

from services.bookings.seating.plan import Plan
from services.kit.rpc.errors import Unavailable


class Plans(Protocol):
    """Seat plans by id. A plan never changes."""

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns a plan if it is in memory."""

    async def load(self, plan_id: int) -> object:
        """Loads a plan into memory; raises a Refusal if that fails."""


class NoPlans:
    """Stands for plans in an inventory without assigned seats."""

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns None."""
        del plan_id
        return None

    async def load(self, plan_id: int) -> object:
        """Raises Unavailable."""
        del plan_id
        raise Unavailable
