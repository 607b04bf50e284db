"""What documents show of a ticket."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from services.bookings.catalogue.places import Place
from services.bookings.seating.plan import Plan
from services.bookings.tickets.codes import Code, sign
from services.bookings.tickets.details import DoorTimes, TicketDetails
from services.bookings.tickets.keys import TicketKey


class Document(NamedTuple):
    """A document, and a tag that differs if the document does."""

    media_type: str
    data: bytes
    entity_tag: str

    @classmethod
    def of(cls, media_type: str, data: bytes) -> Self:
        """Makes a document and its tag."""
        return cls(media_type, data, hashlib.sha256(data).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class PrintedSeat:
    """A seat in words, and the code that admits to it."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class PrintedTicket:
    """A ticket with its codes, and where and when its event is. Money is for all seats."""

    event_name: str
    place: Place
    reference: str
    price_amount_minor: int | None
    price_currency: str | None
    created_at: datetime
    seats: Sequence[PrintedSeat]

    @classmethod
    def of(
        cls,
        ticket: TicketDetails,
        place: Place,
        plan: Plan | None,
        *,
        key: TicketKey,
        door: DoorTimes,
    ) -> Self:
        """Signs the codes of a ticket with a key. `plan` has its seats, if they are assigned."""
        period = door.of(ticket.event_starts_at)
        codes = (
            (sign(Code(ticket.event_id, code_id, seat_id, period), key), seat_id)
            for code_id, seat_id in zip(ticket.code_ids, ticket.seat_ids, strict=True)
        )
        return cls(
            event_name=ticket.event_name,
            place=place,
            reference=str(ticket.reference),
            price_amount_minor=ticket.price_amount_minor,
            price_currency=ticket.price_currency,
            created_at=ticket.created_at,
            seats=[PrintedSeat(seat_name(plan, seat_id), code) for code, seat_id in codes],
        )


def seat_name(plan: Plan | None, seat_id: int | None) -> str:
    """Returns a seat in words; nothing where seats are not assigned."""
    if plan is None or seat_id is None:
        return ""
    found = plan.seat(seat_id)
    parts = (("Section", found.section), ("Row", found.row), ("Seat", found.label))
    return ", ".join(f"{word} {text}" for word, text in parts if text)
