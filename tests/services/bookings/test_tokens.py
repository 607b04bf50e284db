"""Bookings over gRPC with tokens and API keys, as clients call it that bypass the gateway."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.rest.v1 import batch_pb2, rest_pb2
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.batch_items import item, reason
from tests.services.bookings.serving import Running, bookings_serving, refused
from tests.services.issuer import ScriptedIssuer, account, serve_identity

ADA, BOB, OWNER, ADMIN = map(account, ("ada", "bob", "owner", "admin"))


@dataclass
class Office:
    """A running bookings, and the issuer of its callers' tokens."""

    running: Running
    issuer: ScriptedIssuer

    async def call(self, name: str, request: Any, who: str = "", role: str = Role.USER) -> Any:
        """Calls an RPC as an account, or without a token."""
        metadata = self.issuer.bearer(who, role) if who else None
        return await getattr(self.running.bookings, name)(request, metadata=metadata)

    async def call_with(self, name: str, request: Any, api_key: str) -> Any:
        """Calls an RPC with an API key."""
        metadata = (("authorization", f"Bearer {api_key}"),)
        return await getattr(self.running.bookings, name)(request, metadata=metadata)

    async def book(self, who: str = ADA, seats: int = 2, key: str = "") -> Any:
        """Books seats of the event."""
        request = bookings_pb2.CreateBookingRequest(event_id=1, seat_count=seats, request_id=key)
        return await self.call("CreateBooking", request, who)


@contextlib.asynccontextmanager
async def opened(database: Database, **changes: Any) -> AsyncIterator[Office]:
    """Serves bookings beside a scripted issuer, with an owned event."""
    issuer = ScriptedIssuer()
    server, target = await serve_identity(issuer)
    try:
        async with bookings_serving(database, accounts_target=target, **changes) as running:
            running.catalogue.put(
                1,
                total_seats=5,
                organizer_id=OWNER,
                price={"amount_minor": 1250, "currency": "EUR"},
            )
            yield Office(running, issuer)
    finally:
        await server.stop(None)


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    """Serves bookings without open access."""
    async with opened(database, open_access=False) as closed:
        yield closed


async def test_an_account_books_and_cancels_several_seats(office: Office) -> None:
    """A repeated booking or cancellation would change more, or get other bytes."""
    made = await office.book(key="k")
    booking = made.booking
    assert (booking.user_id, booking.seat_count, booking.price.amount_minor) == (ADA, 2, 2500)
    assert booking.status == bookings_pb2.BOOKING_STATUS_HELD
    assert (made.inventory_revision, made.replayed) == (2, False)
    cancelling = bookings_pb2.CancelBookingByReferenceRequest(reference=booking.reference)
    cancelled = await office.call("CancelBookingByReference", cancelling, ADA)
    assert cancelled.booking.status == bookings_pb2.BOOKING_STATUS_CANCELLED
    again = await office.book(key="k")
    made.replayed = True
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)
    assert (await refused(office.book(seats=3, key="k"))).reason == "IDEMPOTENCY_KEY_REUSED"
    late = office.call("CancelBookingByReference", cancelling, OWNER)
    assert (await refused(late)).reason == "ALREADY_CANCELLED"


@pytest.mark.parametrize("seats", [0, 21, -1])
async def test_a_party_is_of_one_to_twenty(office: Office, seats: int) -> None:
    """A party of 0 or 21 seats would be booked."""
    refusal = await refused(office.book(seats=seats))
    assert [violation.path for violation in refusal.violations] == ["seat_count"]


async def test_a_party_that_does_not_fit_is_sold_out(office: Office) -> None:
    """A party would not learn how many seats are left, or block a smaller one."""
    await office.book(seats=3)
    for replayed in ({}, {"replayed": "true"}):
        refusal = await refused(office.book(BOB, seats=3, key="k"))
        metadata = {"inventory_revision": "2", "seats_left": "2", **replayed}
        assert (refusal.reason, refusal.metadata) == ("SOLD_OUT", metadata)
    assert (await office.book(BOB, seats=2)).booking.seat_count == 2
    assert (await refused(office.book(BOB, seats=3))).metadata["seats_left"] == "0"
    again = await refused(office.book(BOB, seats=3, key="k"))
    assert again.metadata["seats_left"] == "2"


async def test_one_seat_too_many_says_all_there_is_to_say(office: Office) -> None:
    """A refused single seat would come with a count of seats left."""
    await office.book(seats=5)
    refusal = await refused(office.book(BOB, seats=1))
    assert (refusal.reason, refusal.metadata) == ("SOLD_OUT", {"inventory_revision": "2"})


async def test_a_reference_opens_nothing_to_others(office: Office) -> None:
    """A user could read or cancel the booking of another account by its reference."""
    reference = (await office.book()).booking.reference
    found = bookings_pb2.GetBookingByReferenceRequest(reference=reference)
    cancelling = bookings_pb2.CancelBookingByReferenceRequest(reference=reference)
    for who, role in ((BOB, Role.USER), (BOB, Role.ORGANIZER)):
        for name, request in (
            ("GetBookingByReference", found),
            ("CancelBookingByReference", cancelling),
        ):
            refusal = await refused(office.call(name, request, who, role))
            assert (refusal.reason, refusal.metadata) == ("BOOKING_NOT_FOUND", {})
    for who, role in ((ADA, Role.USER), (OWNER, Role.ORGANIZER), (ADMIN, Role.ADMIN)):
        shown = await office.call("GetBookingByReference", found, who, role)
        assert shown.booking.reference == reference
    unknown = office.call("GetBookingByReference", found)
    assert (await refused(unknown)).reason == "UNAUTHENTICATED"


async def test_a_token_reserves_for_its_account(office: Office) -> None:
    """A token would book for another account, or an admin only for themselves."""
    reserve = bookings_pb2.ReserveRequest
    made = await office.call("Reserve", reserve(event_id=1), ADA)
    assert made.reservation.user_id == ADA
    named = office.call("Reserve", reserve(event_id=1, user_id=ADA), ADA)
    assert (await refused(named)).reason == "ALREADY_BOOKED"
    for other in (BOB, "guest"):
        asked = office.call("Reserve", reserve(event_id=1, user_id=other), ADA)
        assert (await refused(asked)).reason == "PERMISSION_DENIED"
    by_admin = await office.call("Reserve", reserve(event_id=1, user_id=BOB), ADMIN, Role.ADMIN)
    assert by_admin.reservation.user_id == BOB


async def test_each_item_of_a_batch_is_its_callers(office: Office) -> None:
    """An item would be served with the credentials of another item."""
    writes, reads, any_user = (
        office.issuer.add_key(ADMIN, Role.ADMIN, scope, name=name)
        for name, scope in (
            ("writes", rest_pb2.SCOPE_BOOKINGS_WRITE),
            ("reads", rest_pb2.SCOPE_BOOKINGS_READ),
            ("any", rest_pb2.SCOPE_BOOKINGS_ANY_USER),
        )
    )
    asked = [
        (office.issuer.token(ADA), ""),
        (office.issuer.token(BOB), ADA),
        (office.issuer.token(BOB), BOB),
        (writes, "guest"),
        (writes, ""),
        (reads, ""),
        (any_user, "guest"),
        ("", "guest"),
        ("x.y.z", "guest"),
    ]
    items = [
        item(
            bookings_pb2.ReserveRequest(event_id=1, user_id=user or None),
            authorization=credential and f"Bearer {credential}",
        )
        for credential, user in asked
    ]
    results = (await office.running.batches.Batch(batch_pb2.BatchRequest(items=items))).results
    assert [
        reason(each) or bookings_pb2.ReserveResponse.FromString(each.response).reservation.user_id
        for each in results
    ] == [
        ADA,
        "PERMISSION_DENIED",
        BOB,
        "PERMISSION_DENIED",
        ADMIN,
        "PERMISSION_DENIED",
        "guest",
        "UNAUTHENTICATED",
        "INVALID_TOKEN",
    ]


async def test_a_draft_is_counted_for_its_owner_in_a_shared_batch(office: Office) -> None:
    """Callers who share a batch with the owner would see the draft."""
    office.running.catalogue.put(
        2, status=events_pb2.EVENT_STATUS_DRAFT, organizer_id=OWNER, total_seats=3
    )
    asked = bookings_pb2.GetAvailabilityRequest(event_id=2)
    tokens = [office.issuer.token(OWNER, Role.ORGANIZER), office.issuer.token(ADA)]
    items = [*(item(asked, f"Bearer {token}") for token in tokens), item(asked)]
    results = (await office.running.batches.Batch(batch_pb2.BatchRequest(items=items))).results
    assert list(map(reason, results)) == ["", "EVENT_NOT_FOUND", "EVENT_NOT_FOUND"]


async def test_a_token_shows_where_its_account_stands(database: Database) -> None:
    """A status request with a token would miss the account's place, or a guest see one."""
    async with opened(database, open_access=True) as office:
        await office.running.apply(office.running.catalogue.put(2, total_seats=1, key="show"))
        waiting_list, bearer = office.running.waiting_list, office.issuer.bearer
        await waiting_list.Book(
            waiting_list_pb2.BookRequest(event_id="show"), metadata=bearer(ADA, Role.USER)
        )
        asked = waiting_list_pb2.GetEventStatusRequest(event_id="show")
        for who, status in ((ADA, "booked"), (BOB, "none")):
            shown = await waiting_list.GetEventStatus(asked, metadata=bearer(who, Role.USER))
            assert shown.status.you.status == status
        assert not (await waiting_list.GetEventStatus(asked)).status.HasField("you")
        asked.user_id = BOB
        denied = waiting_list.GetEventStatus(asked, metadata=bearer(ADA, Role.USER))
        assert (await refused(denied)).reason == "PERMISSION_DENIED"
        assert (await refused(waiting_list.GetEventStatus(asked))).reason == "UNAUTHENTICATED"


async def test_a_party_larger_than_the_house_hears_how_many_seats_are_left(
    database: Database,
) -> None:
    """A party larger than the event would join the waiting list, which never serves it."""
    async with opened(database, open_access=True) as office:
        await office.running.apply(office.running.catalogue.put(2, total_seats=3, key="show"))
        await office.running.reserve(2, "ada")
        asked = waiting_list_pb2.BookRequest(
            event_id="show", user_id="huge", seat_count=4, request_id="k"
        )
        first = await refused(office.running.waiting_list.Book(asked))
        assert (first.reason, first.metadata["seats_left"]) == ("SOLD_OUT", "2")
        await office.running.reserve(2, "bob")
        again = await refused(office.running.waiting_list.Book(asked))
        assert again.metadata == {**first.metadata, "replayed": "true"}


async def test_one_lists_what_is_ones_own(office: Office) -> None:
    """A user would list bookings of others, or an organizer or admin miss some."""
    mine = (await office.book()).booking.id
    theirs = (await office.book(BOB)).booking.id
    lists = {
        "ListOwnBookings": bookings_pb2.ListOwnBookingsRequest(),
        "ListUserBookings": bookings_pb2.ListUserBookingsRequest(user_id=ADA),
        "ListEventBookings": bookings_pb2.ListEventBookingsRequest(event_id=1),
        "ListBookings": bookings_pb2.ListBookingsRequest(),
    }
    expected: dict[tuple[str, Role], list[list[int] | None]] = {
        (ADA, Role.USER): [[mine], [mine], None, None],
        (BOB, Role.ORGANIZER): [[theirs], None, None, None],
        (OWNER, Role.ORGANIZER): [[], None, [theirs, mine], None],
        (ADMIN, Role.ADMIN): [[], [mine], [theirs, mine], [theirs, mine]],
    }
    for (who, role), listed in expected.items():
        for (name, request), ids in zip(lists.items(), listed, strict=True):
            call = office.call(name, request, who, role)
            if ids is None:
                assert (await refused(call)).reason == "PERMISSION_DENIED"
            else:
                assert [booking.id for booking in (await call).bookings] == ids
    numbered = bookings_pb2.ListOwnBookingsRequest(
        page=1, page_size=1, status=bookings_pb2.BOOKING_STATUS_CANCELLED
    )
    listed = await office.call("ListOwnBookings", numbered, ADA)
    assert (list(listed.bookings), listed.total) == ([], 0)


async def test_accounts_are_hidden_from_guests(database: Database) -> None:
    """Guests would find accounts in lists, rankings or by number under open access."""
    async with opened(database) as office:
        booked = (await office.book()).booking.id
        await office.running.reserve(user_id="guest")
        for name, request in (
            ("ListBookings", bookings_pb2.ListBookingsRequest()),
            ("ListEventBookings", bookings_pb2.ListEventBookingsRequest(event_id=1)),
        ):
            listed = (await office.call(name, request)).bookings
            assert [booking.user_id for booking in listed] == ["guest"]
            listed = (await office.call(name, request, ADA)).bookings
            assert [booking.user_id for booking in listed] == ["guest", ADA]
        top = bookings_pb2.ListTopUsersRequest()
        assert [user.user_id for user in (await office.call("ListTopUsers", top)).users] == [
            "guest"
        ]
        assert len((await office.call("ListTopUsers", top, BOB)).users) == 2
        by_number = bookings_pb2.GetBookingRequest(booking_id=booked)
        assert (await refused(office.call("GetBooking", by_number))).reason == "BOOKING_NOT_FOUND"
