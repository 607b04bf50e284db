from uuid import uuid4

import grpc
from google.rpc.status_pb2 import Status

from boxoffice.bookings.v1 import (
    bookings_pb2,
    inventory_pb2,
)
from boxoffice.events.v1 import events_pb2
from services.kit.rpc.errors import refusal_from_status
from tests.services.batch_items import batch, reason
from tests.services.bookings.serving import KEY, Running, refused


async def test_a_seat_of_an_event_that_was_just_made_is_reserved(running: Running) -> None:
    """Over gRPC, a new event could not be booked until its state is pushed."""
    running.catalogue.put(1)
    response = await running.reserve()
    assert response.reservation.event_id == 1
    assert response.reservation.user_id == "ada"
    assert response.reservation.created_at.seconds > 0
    assert (response.inventory_revision, response.replayed) == (2, False)
    assert running.catalogue.authorizations == {f"Service {KEY}"}


async def test_refusals_carry_what_the_contract_says(running: Running) -> None:
    """Clients would miss the reason, the revision, or the id of the existing booking."""
    running.catalogue.put(1, total_seats=1)
    running.catalogue.put(2, status=events_pb2.EVENT_STATUS_COMPLETED)
    made = (await running.reserve()).reservation
    again = await refused(running.reserve())
    assert (again.code, again.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_BOOKED")
    assert again.metadata == {"booking_id": str(made.booking_id), "inventory_revision": "2"}
    full = await refused(running.reserve(user_id="bob"))
    assert (full.code, full.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SOLD_OUT")
    assert full.metadata == {"inventory_revision": "2"}
    assert (await refused(running.reserve(2))).reason == "EVENT_NOT_BOOKABLE"
    assert (await refused(running.reserve(3))).reason == "EVENT_NOT_FOUND"


async def test_look_alikes_are_one_user(running: Running) -> None:
    """A name in composed and decomposed letters would be two users, who book twice."""
    running.catalogue.put(1)
    composed, decomposed = "d\u00e9", "de\u0301"
    await running.reserve(user_id=composed)
    assert (await refused(running.reserve(user_id=decomposed))).reason == "ALREADY_BOOKED"
    request = bookings_pb2.ListUserBookingsRequest(user_id=decomposed)
    assert len((await running.bookings.ListUserBookings(request)).bookings) == 1


async def test_a_key_is_answered_again(running: Running) -> None:
    """A client that lost the response would book again, or not learn that it is a repetition."""
    running.catalogue.put(1)
    first = await running.reserve(key="k")
    again = await running.reserve(key="k")
    assert again.replayed
    assert again.reservation == first.reservation
    assert again.inventory_revision == first.inventory_revision


async def test_no_guest_uses_the_id_of_an_account(running: Running) -> None:
    """A guest could book or list bookings in the name of an account."""
    running.catalogue.put(1)
    assert (await refused(running.reserve(user_id="acct_ada"))).reason == "UNAUTHENTICATED"
    asked = batch(bookings_pb2.ReserveRequest(event_id=1, user_id="acct_ada"))
    [result] = (await running.batches.Batch(asked)).results
    assert reason(result) == "UNAUTHENTICATED"
    listing = bookings_pb2.ListUserBookingsRequest(user_id="acct_ada")
    assert (await refused(running.bookings.ListUserBookings(listing))).reason == "UNAUTHENTICATED"


async def test_a_guest_says_who_books(running: Running) -> None:
    """A request without token and user would be booked for nobody."""
    asked = batch(bookings_pb2.ReserveRequest(event_id=1))
    [result] = (await running.batches.Batch(asked)).results
    missed = refusal_from_status(Status.FromString(result.error))
    assert missed is not None
    assert [violation.path for violation in missed.violations] == ["user_id"]
    nameless = running.bookings.Reserve(bookings_pb2.ReserveRequest(event_id=1))
    assert [violation.path for violation in (await refused(nameless)).violations] == ["user_id"]


async def test_a_guest_cancels_by_the_reference(running: Running) -> None:
    """A guest could not read and cancel a booking by reference, or cancel it twice."""
    running.catalogue.put(1)
    made = (await running.reserve()).reservation
    by_number = bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    reference = (await running.bookings.GetBooking(by_number)).booking.reference
    found = bookings_pb2.GetBookingByReferenceRequest(reference=reference.upper())
    response = await running.bookings.GetBookingByReference(found)
    assert response.booking.id == made.booking_id
    asked = bookings_pb2.CancelBookingByReferenceRequest(reference=reference, request_id="k")
    cancelled = await running.bookings.CancelBookingByReference(asked)
    assert cancelled.booking.status == bookings_pb2.BOOKING_STATUS_CANCELLED
    assert cancelled.booking.HasField("cancelled_at")
    assert (cancelled.inventory_revision, cancelled.replayed) == (3, False)
    again = await running.bookings.CancelBookingByReference(asked)
    assert again.replayed
    assert again.booking == cancelled.booking
    asked.request_id = ""
    refusal = await refused(running.bookings.CancelBookingByReference(asked))
    assert (refusal.reason, refusal.metadata) == ("ALREADY_CANCELLED", {"inventory_revision": "3"})
    asked.reference = str(uuid4())
    none = await refused(running.bookings.CancelBookingByReference(asked))
    assert none.reason == "BOOKING_NOT_FOUND"


async def test_seats_are_counted_one_by_one_and_in_a_batch(running: Running) -> None:
    """The number of free seats would differ between unary calls and batches."""
    running.catalogue.put(1, total_seats=3)
    await running.reserve()
    one = bookings_pb2.GetAvailabilityRequest(event_id=1)
    counted = await running.bookings.GetAvailability(one)
    seats = bookings_pb2.Availability(event_id=1, total_seats=3, booked=1, left=2)
    assert (counted.availability, counted.inventory_revision) == (seats, 2)
    items = [bookings_pb2.GetAvailabilityRequest(event_id=number) for number in (1, 0, 9, 1)]
    together = bookings_pb2.BatchGetAvailabilityRequest(items=items)
    results = (await running.bookings.BatchGetAvailability(together)).results
    assert [results[index].response.availability for index in (0, 3)] == [seats, seats]
    refusals = [refusal_from_status(results[index].error) for index in (1, 2)]
    reasons = [refusal.reason for refusal in refusals if refusal]
    assert reasons == ["VALIDATION_ERROR", "EVENT_NOT_FOUND"]
    shared = (await running.batches.Batch(batch(*items))).results
    assert [reason(result) for result in shared] == ["", *reasons, ""]
    assert bookings_pb2.GetAvailabilityResponse.FromString(shared[3].response) == counted


async def test_bookings_are_listed_and_read(running: Running) -> None:
    """A list or a single read would return other bookings or fields than were booked."""
    for event_id in (1, 2):
        price = {"amount_minor": 1250, "currency": "EUR"} if event_id == 1 else None
        running.catalogue.put(event_id, price=price, name=f"Concert {event_id}")
    made = [
        (await running.reserve(event_id, user)).reservation.booking_id
        for event_id in (1, 2)
        for user in ("ada", "bob")
    ]
    call = running.bookings
    page = await call.ListBookings(bookings_pb2.ListBookingsRequest(page_size=3))
    assert [booking.id for booking in page.bookings] == made[:0:-1]
    rest = bookings_pb2.ListBookingsRequest(page_size=3, page_token=page.next_page_token)
    last = await call.ListBookings(rest)
    assert ([booking.id for booking in last.bookings], last.next_page_token) == (made[:1], "")
    of_user = await call.ListUserBookings(bookings_pb2.ListUserBookingsRequest(user_id="bob"))
    assert [booking.id for booking in of_user.bookings] == [made[3], made[1]]
    of_event = await call.ListEventBookings(bookings_pb2.ListEventBookingsRequest(event_id=2))
    assert [booking.id for booking in of_event.bookings] == [made[3], made[2]]
    request = bookings_pb2.GetBookingRequest(booking_id=made[0])
    one = (await call.GetBooking(request)).booking
    assert (one.id, one.user_id, one.event.name) == (made[0], "ada", "Concert 1")
    assert (one.price.amount_minor, one.price.currency) == (1250, "EUR")
    assert not one.HasField("cancelled_at")
    assert one.status == bookings_pb2.BOOKING_STATUS_HELD


async def test_a_token_of_another_list_is_refused(running: Running) -> None:
    """A page token of one user's list would open a page in another user's list."""
    running.catalogue.put(1)
    running.catalogue.put(2)
    for event_id in (1, 2):
        await running.reserve(event_id)
    request = bookings_pb2.ListUserBookingsRequest(user_id="ada", page_size=1)
    token = (await running.bookings.ListUserBookings(request)).next_page_token
    other = bookings_pb2.ListUserBookingsRequest(user_id="bob", page_token=token)
    refusal = await refused(running.bookings.ListUserBookings(other))
    assert refusal.reason == "INVALID_PAGE_TOKEN"


async def test_unknown_ids_are_not_found(running: Running) -> None:
    """A missing booking or event would fail as INTERNAL."""
    booking = bookings_pb2.GetBookingRequest(booking_id=1)
    assert (await refused(running.bookings.GetBooking(booking))).reason == "BOOKING_NOT_FOUND"
    event = bookings_pb2.ListEventBookingsRequest(event_id=1)
    assert (await refused(running.bookings.ListEventBookings(event))).reason == "EVENT_NOT_FOUND"


async def test_users_are_ranked(running: Running) -> None:
    """The ranking would not be served, or a date that does not exist fail as INTERNAL."""
    running.catalogue.put(1)
    await running.reserve()
    ranked = await running.bookings.ListTopUsers(bookings_pb2.ListTopUsersRequest(period="day"))
    assert [(user.place, user.user_id, user.bookings_count) for user in ranked.users] == [
        (1, "ada", 1)
    ]
    impossible = bookings_pb2.ListTopUsersRequest(period="day", date="2023-02-29")
    refusal = await refused(running.bookings.ListTopUsers(impossible))
    assert [violation.path for violation in refusal.violations] == ["date"]


async def test_events_alone_changes_the_inventory(running: Running) -> None:
    """A caller without the services' key could change an inventory."""
    state = running.catalogue.put(1, total_seats=1)
    request = inventory_pb2.ApplyEventRequest(state=state)
    assert (await refused(running.inventory.ApplyEvent(request))).reason == "PERMISSION_DENIED"
    assert (await running.apply(state)).verdict == inventory_pb2.VERDICT_APPLIED
    await running.reserve()
    shrunk = await running.apply(running.catalogue.put(1, total_seats=0, revision=2))
    assert (shrunk.verdict, shrunk.reason) == (
        inventory_pb2.VERDICT_REFUSED,
        "CAPACITY_BELOW_BOOKED",
    )
    deleted = await running.apply(running.catalogue.put(1, revision=3, deleted=True))
    assert (deleted.verdict, deleted.cancelled_bookings) == (inventory_pb2.VERDICT_APPLIED, 1)
    assert (await running.apply(state)).verdict == inventory_pb2.VERDICT_STALE


async def test_a_status_that_is_not_known_is_closed_for_sale(running: Running) -> None:
    """A status that only a newer release knows would be on sale."""
    await running.apply(running.catalogue.put(1, status=99))
    assert (await refused(running.reserve())).reason == "EVENT_NOT_BOOKABLE"
