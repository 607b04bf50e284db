from tests.conftest import Database
from tests.services.bookings.conftest import clock_forward
from tests.services.bookings.serving import refused
from tests.services.bookings.tickets.conftest import FREE, Hall
from tests.services.bookings.tickets.test_pdfs import pages, scanned


async def test_documents_show_the_ticket(house: Hall) -> None:
    """A visitor could get the papers of another ticket, or without the place."""
    made = await house.ticket()
    data = await house.pdf(made)
    assert scanned(data) == [made.seats[0].code]
    assert "Roxy" in pages(data)[0]
    text = await house.calendar(made)
    assert "LOCATION:Roxy" in text
    assert "TZID:Europe/Berlin" in text


async def test_unpaid_tickets_have_no_documents(house: Hall, database: Database) -> None:
    """Somebody could be admitted without paying, or note an event that they have no seat for."""
    made = (await house.create(reservation_id=await house.hold(3))).ticket
    waiting = [await refused(call) for call in (house.pdf(made), house.calendar(made))]
    assert [each.reason for each in waiting] == ["AWAITING_PAYMENT"] * 2
    clock_forward(database, seconds=601)
    over = [await refused(call) for call in (house.pdf(made), house.calendar(made))]
    assert [each.reason for each in over] == ["TICKET_REVOKED"] * 2


async def test_a_cancelled_ticket_cancels_its_calendar(house: Hall) -> None:
    """A visitor could print a ticket that was given back, or go there all the same."""
    made = await house.ticket()
    assert "STATUS:CONFIRMED" in await house.calendar(made)
    await house.cancel(made)
    assert (await refused(house.pdf(made))).reason == "TICKET_REVOKED"
    assert "STATUS:CANCELLED" in await house.calendar(made)


async def test_without_events_documents_have_to_wait(house: Hall) -> None:
    """A ticket could be printed without its place while events is down."""
    made = await house.ticket()
    del house.running.catalogue.places[FREE]
    waiting = [await refused(call) for call in (house.pdf(made), house.calendar(made))]
    assert [each.reason for each in waiting] == ["UNAVAILABLE"] * 2
