"""The plans of seats, as far as decisions need them: they are in memory before anything is decided.

A command for an event whose plan is not there is not decided. The lane loads the plan, outside any
transaction, and asks again.
"""

from typing import Protocol

from services.bookings.seating.plan import Plan
from services.kit.rpc.errors import Unavailable


class Plans(Protocol):
    """Plans by their ids. A plan never changes."""

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns a plan that is in memory."""

    async def load(self, plan_id: int) -> object:
        """Reads a plan into memory; raises a Refusal if it cannot be had."""


class NoPlans:
    """No plan at all, for an inventory whose events have no assigned seats."""

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns None."""
        del plan_id
        return None

    async def load(self, plan_id: int) -> object:
        """Raises Unavailable."""
        del plan_id
        raise Unavailable
