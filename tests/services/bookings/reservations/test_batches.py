import psycopg

from boxoffice.bookings.v1 import (
    bookings_pb2,
    waiting_list_pb2,
)
from boxoffice.rest.v1 import batch_pb2
from tests.conftest import Database
from tests.services.batch_items import batch, item, reason
from tests.services.bookings.serving import Running, bookings_serving, refused


async def test_the_items_of_a_batch_fail_alone(running: Running) -> None:
    """A bad field, token or event would fail other items, or responses change their order."""
    running.catalogue.put(1, total_seats=2)
    good = [bookings_pb2.ReserveRequest(event_id=1, user_id=user) for user in ("ada", "bob", "cy")]
    items = [
        item(good[0]),
        item(bookings_pb2.ReserveRequest(event_id=0, user_id="ada")),
        item(good[1], authorization="Bearer x.y.z"),
        item(bookings_pb2.ReserveRequest()),
        item(bookings_pb2.ReserveRequest(event_id=9, user_id="ada")),
        item(good[0]),
        item(good[1]),
        item(good[2]),
    ]
    results = (await running.batches.Batch(batch_pb2.BatchRequest(items=items))).results
    assert list(map(reason, results)) == [
        "",
        "VALIDATION_ERROR",
        "INVALID_TOKEN",
        "VALIDATION_ERROR",
        "EVENT_NOT_FOUND",
        "ALREADY_BOOKED",
        "",
        "SOLD_OUT",
    ]
    made = bookings_pb2.ReserveResponse.FromString(results[6].response)
    assert made.reservation.user_id == "bob"


async def test_methods_share_a_batch(running: Running) -> None:
    """An item would be served by the handler of another method."""
    running.catalogue.put(1, key="gig", total_seats=9)
    made = (await running.reserve(user_id="bob")).reservation
    found = await running.bookings.GetBooking(
        bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    )
    reference = found.booking.reference
    await running.reserve(user_id="cy")
    asked = batch(
        bookings_pb2.ReserveRequest(event_id=1, user_id="ada"),
        waiting_list_pb2.BookRequest(event_id="gig", user_id="di"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="cy"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="eve"),
        bookings_pb2.CancelBookingByReferenceRequest(reference=reference),
        bookings_pb2.CreateBookingRequest(event_id=1, seat_count=2),
        bookings_pb2.ReserveRequest(event_id=2, user_id="ada"),
    )
    results = (await running.batches.Batch(asked)).results
    assert list(map(reason, results)) == [
        "",
        "",
        "",
        "BOOKING_NOT_FOUND",
        "",
        "UNAUTHENTICATED",
        "EVENT_NOT_FOUND",
    ]
    result = waiting_list_pb2.BookResponse.FromString(results[1].response).result
    assert (result.status, result.user_id) == ("booked", "di")
    cancelled = bookings_pb2.CancelBookingByReferenceResponse.FromString(results[4].response)
    assert cancelled.booking.reference == reference
    left = await running.bookings.GetAvailability(bookings_pb2.GetAvailabilityRequest(event_id=1))
    assert left.availability.booked == 2


async def test_a_locked_event_is_asked_for_again(running: Running, database: Database) -> None:
    """An item for a locked event would hold up the whole batch of the gateway."""
    running.catalogue.put(1, key="gig")
    made = (await running.reserve(user_id="ada")).reservation
    by_number = bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    reference = (await running.bookings.GetBooking(by_number)).booking.reference
    asked = (
        bookings_pb2.ReserveRequest(event_id=1, user_id="bob"),
        bookings_pb2.CancelBookingByReferenceRequest(reference=reference),
        waiting_list_pb2.BookRequest(event_id="gig", user_id="cy"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="di"),
    )
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        results = (await running.batches.Batch(batch(*asked, skip_busy=True))).results
        assert [result.busy for result in results] == [True] * 4
    results = (await running.batches.Batch(batch(*asked))).results
    assert list(map(reason, results)) == ["", "", "", "BOOKING_NOT_FOUND"]


async def test_a_closed_bookings_admits_no_item_without_a_token(database: Database) -> None:
    """An item of a batch would be served without the token that its unary call needs."""
    async with bookings_serving(database, open_access=False) as closed:
        closed.catalogue.put(1)
        assert (await refused(closed.reserve())).reason == "UNAUTHENTICATED"
        asked = batch(bookings_pb2.ReserveRequest(event_id=1, user_id="ada"))
        [result] = (await closed.batches.Batch(asked)).results
        assert reason(result) == "UNAUTHENTICATED"
