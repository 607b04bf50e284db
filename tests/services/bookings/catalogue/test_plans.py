import asyncio
from random import Random

import pytest
from google.protobuf.descriptor import FieldDescriptor

from boxoffice.bookings.v1 import bookings_pb2, seats_pb2, waiting_list_pb2
from buf.validate import validate_pb2
from services.bookings.catalogue import messages
from services.bookings.catalogue.plans import GROUP_SIZES, Plans
from services.bookings.seating.plan import Area, Plan, Row
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Unavailable
from tests.services.bookings.rooms import PLAN_ID, Rooms, hall, serialized
from tests.services.bookings.seating.plans import random_plan


async def test_a_crowd_fetches_a_plan_once(pool: Pool) -> None:
    """The first sale in a new room asks events once, not for every request."""
    rooms = Rooms(hall())
    plans = Plans(pool, rooms.fetch)
    loaded = await asyncio.gather(*(plans.load(PLAN_ID) for _ in range(50)))
    assert {id(plan) for plan in loaded} == {id(plans.loaded(PLAN_ID))}
    assert rooms.asked == [PLAN_ID]


async def test_a_plan_outlives_a_restart(pool: Pool) -> None:
    """A restarted process sells seats although events is away."""
    await Plans(pool, Rooms(hall(3, 5)).fetch).load(PLAN_ID)
    restarted = Plans(pool, Rooms().fetch)
    assert restarted.loaded(PLAN_ID) is None
    assert (await restarted.load(PLAN_ID)).seat_count == 15


async def test_a_plan_that_cannot_be_had_is_asked_for_again(pool: Pool) -> None:
    """An outage of events is not remembered."""
    rooms = Rooms()
    plans = Plans(pool, rooms.fetch)
    with pytest.raises(Unavailable):
        await plans.load(PLAN_ID)
    rooms.plans[PLAN_ID] = hall()
    assert (await plans.load(PLAN_ID)).seat_count == 8


async def test_two_replicas_keep_the_same_plan(pool: Pool) -> None:
    """A plan that another replica has stored meanwhile is no failure."""
    replicas = [Plans(pool, Rooms(hall()).fetch) for _ in range(2)]
    loaded = await asyncio.gather(*(plans.load(PLAN_ID) for plans in replicas))
    assert [plan.seat_count for plan in loaded] == [8, 8]


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_read_as_it_was_sent(seed: int) -> None:
    """No seat is another one here than in the room: not its type, its aisle or its place."""
    plan = random_plan(Random(seed))
    read = messages.seat_plan(serialized(plan))
    assert [read.seat(seat_id) for seat_id in range(1, read.seat_count + 1)] == [
        plan.seat(seat_id) for seat_id in range(1, plan.seat_count + 1)
    ]
    assert (read.runs, read.focal_point) == (plan.runs, plan.focal_point)


def test_a_printed_number_is_that_of_its_seat() -> None:
    """Indices count from 1 in messages: 12A is not printed on the seat beside it."""
    row = Row("", "A", [1, 2], ["VIP", "VIP"], [0, 100], [0, 0], labels={1: "12A"})
    read = messages.seat_plan(serialized(Plan(1, [row], [Area("Floor", 2, "REGULAR")])))
    assert [read.seat(seat_id).label for seat_id in (1, 2, 3)] == ["1", "12A", ""]


def test_a_plan_is_prepared_for_the_largest_party() -> None:
    """The groups of a large room would be sorted while its event is locked."""
    counts = [
        bookings_pb2.CreateBookingRequest.DESCRIPTOR.fields_by_name["seat_count"],
        waiting_list_pb2.BookRequest.DESCRIPTOR.fields_by_name["seat_count"],
        seats_pb2.BestSeats.DESCRIPTOR.fields_by_name["count"],
    ]
    assert max(map(_most, counts)) == GROUP_SIZES[-1]


def _most(field: FieldDescriptor) -> int:
    """Returns the largest value that the contract allows."""
    return int(field.GetOptions().Extensions[validate_pb2.field].int32.lte)
