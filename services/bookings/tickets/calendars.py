"""Writing the event of a ticket as iCalendar (RFC 5545)."""

from datetime import UTC, date, datetime
from uuid import uuid5

from icalendar import Calendar, Event

from services.bookings.catalogue.places import Place
from services.bookings.errors import NoCalendar
from services.bookings.seating.plan import Plan
from services.bookings.tickets.details import TicketDetails
from services.bookings.tickets.printed import seat_name

MEDIA_TYPE = "text/calendar"
PRODUCT = "-//Boxoffice//Tickets//EN"


def write(ticket: TicketDetails, place: Place, plan: Plan | None) -> bytes:
    """Writes a calendar with one entry; a ticket that is revoked cancels it.

    Raises NoCalendar for an event without a start. The entry has neither codes nor ids by which
    anybody could get the ticket: calendars are shown to others.
    """
    if place.starts_at is None:
        raise NoCalendar
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(_entry(ticket, place, place.starts_at, plan))
    starts_at = place.local(place.starts_at)
    if starts_at.tzinfo is not UTC:
        years = starts_at.year - 1, (place.ends_at or starts_at).year + 1
        calendar.add_missing_timezones(
            first_date=date(years[0], 1, 1), last_date=date(years[1], 12, 31)
        )
    return bytes(calendar.to_ical())


def _entry(ticket: TicketDetails, place: Place, starts_at: datetime, plan: Plan | None) -> Event:
    is_revoked = ticket.status == "REVOKED"
    entry = Event()
    # Does not reveal the ticket's id, which is the secret of a guest.
    entry.add("uid", str(uuid5(ticket.ticket_id, "calendar")))
    entry.add("dtstamp", ticket.created_at.astimezone(UTC).replace(microsecond=0))
    entry.add("sequence", 2 * place.revision + is_revoked)
    entry.add("status", "CANCELLED" if is_revoked else "CONFIRMED")
    entry.add("dtstart", place.local(starts_at))
    if place.ends_at:
        entry.add("dtend", place.local(place.ends_at))
    entry.add("summary", ticket.event_name)
    if place.name:
        entry.add("location", place.name)
    if seats := list(filter(None, (seat_name(plan, seat_id) for seat_id in ticket.seat_ids))):
        entry.add("description", "\n".join(seats))
    return entry
