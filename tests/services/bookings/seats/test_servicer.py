from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc.status_pb2 import Status

from boxoffice.bookings.v1 import bookings_pb2, seats_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.rest.v1 import batch_pb2
from services.kit.rpc.callers import Role
from services.kit.rpc.errors import refusal_from_status
from tests.conftest import Database
from tests.services.batch_items import item, reason
from tests.services.bookings.conftest import clock_forward
from tests.services.bookings.rooms import PLAN_ID
from tests.services.bookings.seats.cinema import EURO, OWNER, Cinema, open_cinema
from tests.services.bookings.serving import refused
from tests.services.issuer import account

ADA, BOB, ADMIN = map(account, ("ada", "bob", "admin"))
HOLD_SECONDS = 600


@pytest.fixture
async def cinema(database: Database) -> AsyncIterator[Cinema]:
    """Opens bookings with a screening that has an owner."""
    async with open_cinema(database) as opened:
        yield opened


async def test_a_hold_is_made_read_and_released(cinema: Cinema) -> None:
    """Seats would be held at another price or for another time, or not come free."""
    held = await cinema.hold(4, 3)
    made = held.reservation
    assert (list(made.seat_ids), made.user_id, made.screening_id) == ([3, 4], "guest", 1)
    assert (made.price.amount_minor, made.price.currency) == (2_400, "EUR")
    assert made.status == seats_pb2.SEAT_RESERVATION_STATUS_HELD
    left = made.expires_at.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(seconds=HOLD_SECONDS - 60) < left <= timedelta(seconds=HOLD_SECONDS)
    assert await cinema.get(made.reservation_id) == made
    assert (await cinema.statuses())[2:5] == ["HELD", "HELD", "AVAILABLE"]
    released = await cinema.release(made.reservation_id)
    assert (released.result.released, released.inventory_revision) == (2, 3)
    assert (await cinema.release(made.reservation_id)).result.released == 0
    assert set(await cinema.statuses()) == {"AVAILABLE"}
    status = (await cinema.get(made.reservation_id)).status
    assert status == seats_pb2.SEAT_RESERVATION_STATUS_CANCELLED


async def test_a_refusal_explains_and_suggests(cinema: Cinema) -> None:
    """A refused user would not see which seat is taken, until when, and what to take instead."""
    other = (await cinema.hold(2, user_id="bob")).reservation
    refusal = await refused(cinema.hold(2, 3))
    details: Any = refusal.details
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "SEATS_UNAVAILABLE",
    )
    assert refusal.metadata == {"inventory_revision": "2"}
    assert list(details.unavailable_seat_ids) == [2]
    assert dict(details.reasons) == {2: "held"}
    assert (details.free_again_at, details.left) == (other.expires_at, 7)
    groups = [[seat.seat_id for seat in pair.seats] for pair in details.alternatives.pairs]
    assert groups
    assert all(2 not in group and 3 not in group for group in groups)
    assert [seat.seat_id for seat in details.alternatives.seats] == groups[0]
    prices = {
        seat.type: seat.price.amount_minor
        for pair in details.alternatives.pairs
        for seat in pair.seats
    }
    assert prices == {"REGULAR": 900, "VIP": 1_500}
    refusal = await refused(cinema.hold(2, 3, suggest_alternatives=False))
    details = refusal.details
    assert not details.alternatives.seats


async def test_seats_that_are_sold_or_blocked_are_not_free_again(cinema: Cinema) -> None:
    """A user would wait for a seat that does not come free."""
    await cinema.block(1)
    await cinema.running.apply(
        cinema.running.catalogue.put(1, 8, revision=2, plan_id=PLAN_ID, price=None)
    )
    request = bookings_pb2.ReserveRequest(event_id=1, user_id="bob")
    booking = (await cinema.running.bookings.Reserve(request)).reservation
    sold = next(n for n, status in enumerate(await cinema.statuses(), 1) if status == "SOLD")
    refusal = await refused(cinema.hold(1, sold))
    details: Any = refusal.details
    assert dict(details.reasons) == {1: "blocked", sold: "sold"}
    assert not details.HasField("free_again_at")
    named = bookings_pb2.GetBookingRequest(booking_id=booking.booking_id)
    found = (await cinema.running.bookings.GetBooking(named)).booking
    assert list(found.seat_ids) == [sold]


async def test_a_repeated_key_gets_the_same_bytes(cinema: Cinema) -> None:
    """A repeated request would hold twice, or suggest other seats at other prices."""
    await cinema.hold(2)
    sent = [
        seats_pb2.HoldSeatsRequest(
            screening_id=1, user_id="ada", seat_ids=seat_ids, request_id=f"key-{seat_ids[0]}"
        )
        for seat_ids in ([2, 3], [5, 6])
    ]
    first = await in_a_batch(cinema, *sent)
    await cinema.hold(7, 8, user_id="bob")
    await cinema.running.apply(
        cinema.running.catalogue.put(
            1, 8, revision=2, plan_id=PLAN_ID, price={"amount_minor": 5, **EURO}
        )
    )
    again = await in_a_batch(cinema, *sent)
    response = seats_pb2.HoldSeatsResponse
    assert [reason(result) for result in again] == ["SEATS_UNAVAILABLE", ""]
    was, refusal = (refusal_from_status(Status.FromString(one[0].error)) for one in (first, again))
    assert was is not None
    assert refusal is not None
    assert refusal.details == was.details
    assert refusal.metadata == {**was.metadata, "replayed": "true"}
    assert response.FromString(again[1].response).reservation == (
        response.FromString(first[1].response).reservation
    )


async def test_the_free_seats_are_held_if_not_all_are_required(cinema: Cinema) -> None:
    """A party that accepts fewer seats would get none, or a taken one."""
    await cinema.hold(2, user_id="bob")
    made = (await cinema.hold(1, 2, 3, require_all=False)).reservation
    assert (list(made.seat_ids), list(made.unavailable_seat_ids)) == ([1, 3], [2])
    refusal = await refused(cinema.hold(1, 2, require_all=False))
    assert refusal.reason == "SEATS_UNAVAILABLE"


@pytest.mark.parametrize(
    ("best", "seat_ids"),
    [
        ({"count": 2}, [1, 2]),
        ({"count": 2, "type": "VIP", "adjacent": False}, [4, 8]),
        ({"count": 1, "section": "Stalls", "type": "VIP"}, [4]),
    ],
)
async def test_the_best_seats_are_as_they_are_wanted(
    cinema: Cinema, best: dict[str, Any], seat_ids: list[int]
) -> None:
    """A user would get the best seats of another type or section."""
    assert list((await cinema.hold(best=best)).reservation.seat_ids) == seat_ids


async def test_all_holds_of_a_user_are_released(cinema: Cinema) -> None:
    """Leaving would keep the user's seats, or free seats of others."""
    for seat_id in (1, 3):
        await cinema.hold(seat_id, user_id="ada")
    await cinema.hold(5, user_id="bob")
    request = seats_pb2.ReleaseUserSeatsRequest(screening_id=1, user_id="ada")
    assert (await cinema.call("ReleaseUserSeats", request)).result.released == 2
    assert (await cinema.call("ReleaseUserSeats", request)).result.released == 0
    assert [n for n, status in enumerate(await cinema.statuses(), 1) if status == "HELD"] == [5]


async def test_a_hold_that_has_ended_frees_its_seats_at_once(
    cinema: Cinema, database: Database
) -> None:
    """A seat would stay held after its hold ended, until the sweeper has run."""
    made = (await cinema.hold(1)).reservation
    clock_forward(database, seconds=HOLD_SECONDS + 1)
    assert (await cinema.statuses())[0] == "AVAILABLE"
    status = (await cinema.get(made.reservation_id)).status
    assert status == seats_pb2.SEAT_RESERVATION_STATUS_EXPIRED
    assert list((await cinema.hold(1, user_id="bob")).reservation.seat_ids) == [1]


async def test_suggestions_are_free_seats(cinema: Cinema) -> None:
    """A suggested seat would be taken, or one of those asked for."""
    await cinema.hold(2, 3)
    request = seats_pb2.SuggestSeatsRequest(screening_id=1, seat_ids=[2, 3], prefer_pairs=True)
    response = await cinema.call("SuggestSeats", request)
    groups = [[seat.seat_id for seat in pair.seats] for pair in response.alternatives.pairs]
    assert groups == [[5, 6], [7, 8], [6, 7]]
    assert response.inventory_revision == 2
    request.prefer_pairs, request.count = False, 1
    response = await cinema.call("SuggestSeats", request)
    assert len(response.alternatives.seats) == 1
    assert not response.alternatives.pairs
    request.seat_ids.append(9)
    refusal = await refused(cinema.call("SuggestSeats", request))
    details: Any = refusal.details
    assert (refusal.reason, list(details.seat_ids)) == ("SEAT_NOT_FOUND", [9])


async def test_an_event_without_seats_is_no_screening(cinema: Cinema) -> None:
    """A caller could tell a draft from an event without seats or a missing one."""
    cinema.running.catalogue.put(2)
    draft = events_pb2.EVENT_STATUS_DRAFT
    cinema.running.catalogue.put(3, 8, plan_id=PLAN_ID, status=draft, organizer_id=OWNER)
    for screening in (2, 3, 4):
        user: dict[str, Any] = {"screening_id": screening, "user_id": "ada"}
        for name, request in (
            ("HoldSeats", seats_pb2.HoldSeatsRequest(**user, seat_ids=[1])),
            ("ReleaseUserSeats", seats_pb2.ReleaseUserSeatsRequest(**user)),
            ("RenderSeatMap", seats_pb2.RenderSeatMapRequest(screening_id=screening)),
            ("RenderFreeSeats", seats_pb2.RenderFreeSeatsRequest(screening_id=screening)),
            ("GetSeatMap", seats_pb2.GetSeatMapRequest(screening_id=screening)),
            ("SuggestSeats", seats_pb2.SuggestSeatsRequest(screening_id=screening, seat_ids=[1])),
            ("SetBlockedSeats", seats_pb2.SetBlockedSeatsRequest(screening_id=screening)),
        ):
            refusal = await refused(cinema.call(name, request))
            assert (refusal.reason, refusal.metadata) == ("SCREENING_NOT_FOUND", {}), name
    request = seats_pb2.RenderSeatMapRequest(screening_id=3)
    assert (await cinema.call("RenderSeatMap", request, OWNER, Role.ORGANIZER)).body.data


async def test_a_reservation_of_an_account_is_no_secret_of_others(cinema: Cinema) -> None:
    """A caller who finds an id could release the seats of an account."""
    made = (await cinema.hold(1, who=ADA)).reservation
    for call in (cinema.get, cinema.release):
        for who in ("", BOB):
            assert (await refused(call(made.reservation_id, who))).reason == (
                "RESERVATION_NOT_FOUND"
            )
    assert (await cinema.get(made.reservation_id, ADA)).user_id == ADA
    assert (await cinema.release(made.reservation_id, ADA)).result.released == 1
    assert (await refused(cinema.get(str(uuid4())))).reason == "RESERVATION_NOT_FOUND"


async def test_only_who_owns_a_screening_blocks_seats(cinema: Cinema) -> None:
    """Any user could block the seats of a screening."""
    for who, code in ((BOB, "PERMISSION_DENIED"), ("", "UNAUTHENTICATED")):
        assert (await refused(cinema.block(1, who=who))).reason == code
    assert list((await cinema.block(3, 1)).blocked_seats.seat_ids) == [1, 3]
    assert list((await cinema.block(3, who=ADMIN, role=Role.ADMIN)).blocked_seats.seat_ids) == [3]
    await cinema.hold(1)
    refusal = await refused(cinema.block(1))
    details: Any = refusal.details
    assert (refusal.reason, dict(details.reasons)) == ("SEATS_UNAVAILABLE", {1: "held"})
    assert (await cinema.statuses())[:3] == ["HELD", "AVAILABLE", "BLOCKED"]


async def test_a_map_as_a_message_has_the_same_seats(cinema: Cinema) -> None:
    """Clients of gRPC would see other seats than clients of HTTP."""
    await cinema.hold(2)
    response = await cinema.call("GetSeatMap", seats_pb2.GetSeatMapRequest(screening_id=1))
    names = [seats_pb2.SeatStatus.Name(seat.status) for seat in response.seat_map.seats]
    assert [name.removeprefix("SEAT_STATUS_") for name in names] == await cinema.statuses()


async def in_a_batch(
    cinema: Cinema, *requests: seats_pb2.HoldSeatsRequest
) -> list[batch_pb2.BatchResult]:
    """Sends requests as a batch, as the gateway does."""
    sent = batch_pb2.BatchRequest(items=map(item, requests))
    return list((await cinema.running.batches.Batch(sent)).results)
