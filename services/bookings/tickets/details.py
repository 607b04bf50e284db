"""A ticket as people see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.errors import AwaitingPayment, TicketRevoked


class Period(NamedTuple):
    """When codes admit; None on a side without a bound."""

    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class DoorTimes:
    """How long before an event starts its door opens, and how long after that it closes."""

    opens_before: timedelta = timedelta(hours=6)
    closes_after: timedelta = timedelta(hours=24)

    def of(self, starts_at: datetime | None) -> Period:
        """Returns when codes of an event admit; always for an event without a time."""
        if starts_at is None:
            return Period(None, None)
        return Period(starts_at - self.opens_before, starts_at + self.closes_after)


@dataclass(frozen=True, slots=True)
class TicketDetails:
    """A ticket with its event. Money is minor units for all seats.

    `code_ids`, `seat_ids` and `used_at` have an item for each seat, in their order; seat ids are
    None where seats are not assigned.
    """

    event_id: int
    ticket_id: UUID
    booking_id: int
    reference: UUID
    user_id: str
    status: str
    price_amount_minor: int | None
    price_currency: str | None
    created_at: datetime
    event_name: str
    event_starts_at: datetime | None
    event_organizer_id: str | None
    plan_id: int | None
    code_ids: Sequence[UUID]
    seat_ids: Sequence[int | None]
    used_at: Sequence[datetime | None]
    valid_at: datetime | None

    @property
    def shows_codes(self) -> bool:
        """Whether its holder sees the codes."""
        return self.status in {"VALID", "USED"}

    def is_visible_to(self, viewer: Viewer) -> bool:
        """Returns whether a viewer who knows the ticket's id may see it."""
        return viewer.sees_by_reference(self.user_id, self.event_organizer_id)

    def expect_to_admit(self) -> None:
        """Raises AwaitingPayment or TicketRevoked if the codes admit nobody."""
        if self.status == "AWAITING_PAYMENT":
            raise AwaitingPayment
        if self.status == "REVOKED":
            raise TicketRevoked

    def expect_to_have_been_valid(self) -> None:
        """Raises AwaitingPayment or TicketRevoked if the codes never admitted anybody."""
        if self.valid_at is None:
            self.expect_to_admit()

    @property
    def id(self) -> int:
        """The number that pages go by."""
        return self.booking_id
