from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Component

from services.bookings.catalogue.places import Place
from services.bookings.errors import NoCalendar
from services.bookings.tickets.calendars import write
from tests.services.bookings.tickets.printing import PLACE, PLAN, STARTS_AT, TICKET

BERLIN = ZoneInfo("Europe/Berlin")


def written(place: Place = PLACE, **changes: Any) -> bytes:
    """Writes the calendar of a ticket."""
    return write(replace(TICKET, **changes), place, PLAN)


def entry(data: bytes) -> Component:
    """Reads the one entry of a calendar."""
    [found] = Calendar.from_ical(data).walk("VEVENT")
    return found


def test_an_entry_is_in_the_zone_of_the_venue() -> None:
    """A visitor who travels could come at the hour of another zone, or to another hall."""
    data = written()
    found = entry(data)
    assert found.decoded("dtstart") == STARTS_AT.astimezone(BERLIN)
    assert found.decoded("dtend") == STARTS_AT.astimezone(BERLIN) + timedelta(hours=2)
    assert b"DTSTART;TZID=Europe/Berlin:20261120T193000\r\n" in data
    [zone] = Calendar.from_ical(data).timezones
    assert zone.tz_name == "Europe/Berlin"
    assert zone.to_tz().utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)  # noqa: DTZ001
    assert (found["summary"], found["location"]) == ("Concert", "Roxy, Hall 1")
    assert found["description"] == "Section Stalls, Row A, Seat 3\nSection Stalls, Row A, Seat 4"


def test_an_event_without_an_end_has_none() -> None:
    """A calendar could show an end that nobody knows."""
    data = written(replace(PLACE, ends_at=None, time_zone="UTC", venue="", room=""))
    assert b"DTSTART:20261120T183000Z\r\n" in data
    found = entry(data)
    assert not {"dtend", "duration", "location"} & {name.lower() for name in found}


def test_an_event_without_a_start_has_no_calendar() -> None:
    """A calendar could show an event on a day on which it is not."""
    with pytest.raises(NoCalendar):
        written(replace(PLACE, starts_at=None, ends_at=None))


def test_a_revoked_ticket_cancels_its_entry() -> None:
    """A visitor could travel to an event without a ticket, or a cancelled entry come back."""
    former, moved = written(), written(replace(PLACE, revision=4, starts_at=datetime.now(UTC)))
    revoked = written(status="REVOKED")
    entries = [entry(data) for data in (former, revoked, moved)]
    assert [found["status"] for found in entries] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]
    assert len({found["uid"] for found in entries}) == 1
    sequences = [int(str(found["sequence"])) for found in entries]
    assert sequences == sorted(set(sequences))


def test_a_shared_calendar_gives_no_ticket_away() -> None:
    """Colleagues who see a calendar could use the ticket, or cancel the booking."""
    text = written().decode()
    secrets = [TICKET.ticket_id, TICKET.reference, *TICKET.code_ids]
    assert not [each for each in secrets if str(each) in text]


def test_names_cannot_add_lines() -> None:
    """An organizer could put entries into the calendars of visitors."""
    name = "Gig\r\nEND:VEVENT\nBEGIN:VALARM; a, b\\n" + "ü" * 180
    place = replace(PLACE, venue="A;B,C")
    data = written(place, event_name=name)
    found = entry(data)
    assert found["summary"] == name.replace("\r\n", "\n")
    assert found["location"] == "A;B,C, Hall 1"
    assert not Calendar.from_ical(data).walk("VALARM")
    assert max(map(len, data.split(b"\r\n"))) <= 75


@pytest.mark.parametrize("day", [date.min, date(1900, 6, 1), date.max])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "America/New_York", "No/Where"])
def test_any_day_has_a_calendar(day: date, zone: str) -> None:
    """An event on a day at the edge of the calendar could fail for ever."""
    starts_at = datetime.combine(day, time(18), UTC)
    place = replace(PLACE, starts_at=starts_at, ends_at=None, time_zone=zone)
    assert entry(written(place)).decoded("dtstart") == starts_at


def test_equal_tickets_have_equal_calendars() -> None:
    """A client could load the same calendar again and again, as its tag would differ."""
    assert written() == written()
