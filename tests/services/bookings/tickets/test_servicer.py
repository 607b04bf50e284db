import asyncio
import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg

from boxoffice.bookings.v1 import seats_pb2, tickets_pb2
from boxoffice.rest.v1 import batch_pb2
from services.bookings.tickets.codes import verify
from services.bookings.tickets.qr_codes import draw
from tests.conftest import Database
from tests.services.batch_items import batch, item, reason
from tests.services.bookings.conftest import clock_forward
from tests.services.bookings.serving import bookings_serving, refused
from tests.services.bookings.tickets.conftest import CONCERT, FREE, STARTS_AT, Hall
from tests.services.issuer import account

ADA, BOB = map(account, ("ada", "bob"))
AWAITING, VALID, REVOKED = (
    tickets_pb2.TICKET_STATUS_AWAITING_PAYMENT,
    tickets_pb2.TICKET_STATUS_VALID,
    tickets_pb2.TICKET_STATUS_REVOKED,
)


async def test_a_priced_hold_gets_one_ticket_that_awaits_payment(house: Hall) -> None:
    """Asking twice could give two tickets, and a code be shown before it is paid."""
    reservation = await house.hold(3, 4)
    first, again = [await house.create(reservation_id=reservation) for _ in range(2)]
    made = first.ticket
    assert (first.existed, again.existed, again.ticket) == (False, True, made)
    assert (made.status, made.reference, made.user_id) == (AWAITING, reservation, "guest")
    assert (made.price.amount_minor, made.event.name, made.event.id) == (1_800, "Concert", 1)
    shown = [(seat.seat_id, seat.row, seat.number, seat.HasField("code")) for seat in made.seats]
    assert shown == [(3, "A", 3, False), (4, "A", 4, False)]
    assert await house.get(made.ticket_id) == made


async def test_one_ticket_is_issued_to_all_who_ask_at_once(house: Hall) -> None:
    """A user who clicks twice could get two tickets for one seat."""
    booking = await house.book(FREE)
    made = await asyncio.gather(*(house.create(booking_id=booking) for _ in range(16)))
    assert len({each.ticket.ticket_id for each in made}) == 1
    assert [each.existed for each in made].count(False) == 1


async def test_tickets_of_a_batch_are_issued_together(house: Hall, database: Database) -> None:
    """A rush of buyers would wait for a commit each, or be shown the ticket of somebody else."""
    ada = await house.hold(1, who=ADA)
    others = [await house.hold(seat_id, who=BOB) for seat_id in (2, 3)]
    asked = [tickets_pb2.CreateTicketRequest(reservation_id=each) for each in (ada, *others)]
    token = house.issuer.bearer(BOB)[0][1]
    items = [item(each, token) for each in (*asked, asked[1])]
    results = (await house.running.batches.Batch(batch_pb2.BatchRequest(items=items))).results
    assert reason(results[0]) == "RESERVATION_NOT_FOUND"
    made = [tickets_pb2.CreateTicketResponse.FromString(each.response) for each in results[1:]]
    assert [each.ticket.reference for each in made] == [*others, others[0]]
    assert [each.ticket.seats[0].seat_id for each in made] == [2, 3, 2]
    assert [each.existed for each in made] == [False, False, True]
    with psycopg.connect(database.owner_dsn) as owner:
        written = owner.execute("SELECT xmin::text FROM bookings.tickets").fetchall()
    assert (len(written), len(set(written))) == (2, 1)


async def test_a_plan_that_is_not_in_memory_delays_no_other_ticket(
    house: Hall, database: Database
) -> None:
    """All who ask at the same moment would wait for events, and be refused if it is down."""
    seated, free = await house.hold(1), await house.book(FREE)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("DELETE FROM bookings.seat_plans")
    asked = [
        tickets_pb2.CreateTicketRequest(reservation_id=seated),
        tickets_pb2.CreateTicketRequest(booking_id=free),
    ]
    async with bookings_serving(database) as restarted:
        results = (await restarted.batches.Batch(batch(*asked, skip_busy=True))).results
        assert [result.busy for result in results] == [True, False]
        made = tickets_pb2.CreateTicketResponse.FromString(results[1].response)
        assert made.ticket.booking_id == free
        alone = await refused(restarted.tickets.CreateTicket(asked[0]))
        assert alone.reason == "UNAVAILABLE"
    assert not (await house.create(reservation_id=seated)).existed


async def test_a_ticket_that_cannot_be_shown_is_in_doubt(house: Hall, database: Database) -> None:
    """A client would be told that certainly nothing was done, though its ticket is issued."""
    booking = await house.book(FREE)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("LOCK TABLE bookings.ticket_keys")
        refusal = await refused(house.create(booking_id=booking))
    assert refusal.reason == "OUTCOME_UNKNOWN"
    assert (await house.create(booking_id=booking)).existed


async def test_a_code_is_verified_with_the_published_key_alone(house: Hall) -> None:
    """A scanner without a network could not tell a good code from a forged one."""
    made = await house.ticket()
    assert made.status == VALID
    keys = {number: base64.urlsafe_b64decode(x + "=") for number, x in (await house.keys()).items()}
    [seat] = made.seats
    code = verify(seat.code, keys)
    assert (code.event_id, code.seat_id) == (FREE, None)
    hours = timedelta(hours=6), timedelta(hours=24)
    assert code.period == (STARTS_AT - hours[0], STARTS_AT + hours[1])


async def test_a_cancelled_booking_revokes_its_ticket(house: Hall) -> None:
    """Somebody could be admitted with a ticket that was given back."""
    made = await house.ticket()
    await house.cancel(made)
    found = await house.get(made.ticket_id)
    assert (found.status, found.seats[0].HasField("code")) == (REVOKED, False)
    again = await refused(house.create(booking_id=made.booking_id))
    assert again.reason == "HOLD_EXPIRED"


async def test_a_hold_that_ended_unpaid_revokes_its_ticket(house: Hall, database: Database) -> None:
    """A user could still try to pay for a seat that somebody else has."""
    made = (await house.create(reservation_id=await house.hold(1))).ticket
    clock_forward(database, seconds=601)
    assert (await house.get(made.ticket_id)).status == REVOKED


async def test_a_cancelled_event_revokes_all_tickets(house: Hall) -> None:
    """A scanner could admit people to an event that was called off."""
    made = await house.ticket()
    await house.running.apply(house.running.catalogue.put(FREE, revision=2, deleted=True))
    assert (await house.get(made.ticket_id)).status == REVOKED


async def test_a_key_repeats_the_first_response(house: Hall) -> None:
    """A client that lost the response could take its ticket for one that was there before."""
    asked: dict[str, Any] = {"booking_id": await house.book(CONCERT), "request_id": "key"}
    first, again = [await house.create(**asked) for _ in range(2)]
    assert (first.replayed, again.replayed, again.existed) == (False, True, False)
    assert again.ticket == first.ticket
    other = await refused(house.create(booking_id=await house.book(FREE), request_id="key"))
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_tickets_of_a_user_are_listed_by_pages(house: Hall) -> None:
    """A user could miss a ticket, or see those of others."""
    made = [
        (await house.create(ADA, reservation_id=await house.hold(seat, who=ADA))).ticket
        for seat in (1, 2, 3)
    ]
    await house.create(BOB, reservation_id=await house.hold(4, who=BOB))
    listed: list[Any] = []
    token = ""
    while not listed or token:
        request = tickets_pb2.ListUserTicketsRequest(user_id=ADA, page_size=2, page_token=token)
        page = await house.call("ListUserTickets", request, ADA)
        listed, token = [*listed, *page.tickets], page.next_page_token
    assert listed == made[::-1]


async def test_a_hidden_ticket_is_not_found(house: Hall) -> None:
    """A stranger could see codes, or tell whose tickets there are."""
    reservation = await house.hold(1, who=ADA)
    made = (await house.create(ADA, reservation_id=reservation)).ticket
    reasons = [
        (await refused(call)).reason
        for call in (
            house.create(BOB, reservation_id=reservation),
            house.create(BOB, booking_id=made.booking_id),
            house.create(BOB, reservation_id=str(uuid4())),
            house.get(made.ticket_id, BOB),
            house.get(str(uuid4()), ADA),
        )
    ]
    assert reasons == [
        "RESERVATION_NOT_FOUND",
        "BOOKING_NOT_FOUND",
        "RESERVATION_NOT_FOUND",
        "TICKET_NOT_FOUND",
        "TICKET_NOT_FOUND",
    ]


async def test_no_code_is_stored(house: Hall, database: Database) -> None:
    """A reader of a table, or of the stored responses, could use the tickets of others."""
    made = (await house.create(booking_id=await house.book(FREE), request_id="key")).ticket
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT response FROM bookings.idempotency WHERE operation = 'create_ticket'"
        ).fetchall()
    stored = [tickets_pb2.CreateTicketResponse.FromString(response) for (response,) in rows]
    assert [each.ticket.ticket_id for each in stored] == [made.ticket_id]
    assert not stored[0].ticket.seats


async def test_released_seats_have_no_ticket(house: Hall) -> None:
    """A ticket could be issued for seats that its user has given back."""
    reservation = await house.hold(1)
    request = seats_pb2.ReleaseSeatsRequest(reservation_id=reservation)
    await house.running.seats.ReleaseSeats(request)
    refusal = await refused(house.create(reservation_id=reservation))
    assert refusal.reason == "HOLD_EXPIRED"


async def test_qr_codes_are_those_of_the_seats(house: Hall) -> None:
    """A visitor could be shown the code of another seat, or one that is not paid."""
    reservation = await house.hold(3, 4)
    made = (await house.create(reservation_id=reservation)).ticket
    unpaid = await refused(house.qr_code(made.ticket_id))
    ticket = await house.ticket()
    image = await house.qr_code(ticket.ticket_id, place=1)
    assert image.body == (await house.qr_code(ticket.ticket_id)).body
    assert image.body.data == draw(ticket.seats[0].code, "").data
    missing = await refused(house.qr_code(ticket.ticket_id, place=2))
    nowhere = await refused(house.qr_code(ticket.ticket_id, seat_id=9))
    assert [each.reason for each in (unpaid, missing, nowhere)] == [
        "AWAITING_PAYMENT",
        "SEAT_NOT_FOUND",
        "SEAT_NOT_FOUND",
    ]
