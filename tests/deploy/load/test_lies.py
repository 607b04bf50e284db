"""Systems that lie: each must be found out, and an honest one must not be accused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from deploy.load.profiles import Plan
from deploy.load.purchases import Outcome
from deploy.load.run import Order, Result, run
from deploy.load.target import Target
from tests.deploy.load.fake_system import EVENT_ID, FakeSystem, serving

SEATS, BUYERS = 10, 14
RUSH = Plan("rush", buyers=BUYERS, rate=1, seconds=0.001, connections=8)


def order(target: Target, plan: Plan = RUSH, **more: Any) -> Order:
    """Returns an order that repeats without long pauses."""
    few = Order(target, plan, SEATS, patience_seconds=5, pause_seconds=0.01, timeout_seconds=5)
    return replace(few, **more)


@contextlib.asynccontextmanager
async def unseen(result: Result) -> AsyncIterator[None]:
    """Shows no progress."""
    yield


async def played(system: FakeSystem, plan: Plan = RUSH, **more: Any) -> Result:
    """Runs a load test against a fake system."""
    async with serving(system) as target:
        return await run(order(target, plan, **more), unseen, asyncio.Event())


@dataclass
class Oversells(FakeSystem):
    """Sells one seat more than there are."""

    def has_room(self) -> bool:
        """See FakeSystem."""
        return len(self.live) < self.total + 1


@dataclass
class HidesOverselling(Oversells):
    """Oversells, and counts as if it had not."""

    def availability(self) -> dict[str, Any]:
        """See FakeSystem."""
        booked = min(self.total, len(self.live))
        return {"total_seats": self.total, "booked": booked, "left": self.total - booked}


@dataclass
class LosesABooking(FakeSystem):
    """Confirms a booking that is not there afterwards, nor counted."""

    def reserve(self, user_id: str) -> tuple[int, dict[str, Any]]:
        """See FakeSystem."""
        answer = super().reserve(user_id)
        if answer[0] == 201 and answer[1]["booking_id"] == 3:
            self.bookings[2]["status"] = "CANCELLED"
        return answer


@dataclass
class HidesABooking(FakeSystem):
    """Leaves a confirmed booking out of the list."""

    def listed(self) -> Sequence[dict[str, Any]]:
        """See FakeSystem."""
        return [booking for booking in self.bookings if booking["id"] != 3]


@dataclass
class BooksAfterRefusing(FakeSystem):
    """Refuses a buyer, and books a seat for them all the same."""

    def reserve(self, user_id: str) -> tuple[int, dict[str, Any]]:
        """See FakeSystem."""
        answer = super().reserve(user_id)
        is_third = answer[1].get("booking_id") == 3
        return (409, {"error": "already_booked"}) if is_third else answer


@dataclass
class BooksAfterNotDone(FakeSystem):
    """Answers 503, which means certainly not done, and books; later it refuses."""

    def answer(self, key: str, user_id: str) -> tuple[int, dict[str, Any]]:
        """See FakeSystem."""
        is_repeated = key in self.answers
        answer = super().answer(key, user_id)
        if answer[1].get("booking_id") != 3:
            return answer
        if is_repeated:
            return 409, {"error": "already_booked"}
        return 503, {"error": "unavailable"}


@dataclass
class SellsASeatTwice(FakeSystem):
    """Sells the same seat to two buyers."""

    def next_seat(self) -> int:
        """See FakeSystem."""
        return min(super().next_seat(), SEATS - 1)


@dataclass
class Miscounts(FakeSystem):
    """Counts a seat too many as left."""

    def availability(self) -> dict[str, Any]:
        """See FakeSystem."""
        seats = super().availability()
        return seats | {"left": seats["left"] + 1} if self.bookings else seats


@dataclass
class MiscountsBoth(FakeSystem):
    """Counts that add up, and are not those of the bookings."""

    def availability(self) -> dict[str, Any]:
        """See FakeSystem."""
        seats = super().availability()
        return seats | {"booked": seats["booked"] - 1, "left": seats["left"] + 1}


@dataclass
class SendsBuyersAway(FakeSystem):
    """Refuses buyers as sold out while a seat is left."""

    def has_room(self) -> bool:
        """See FakeSystem."""
        return len(self.live) < self.total - 1


@dataclass
class GivesAwayABooking(FakeSystem):
    """Lists a confirmed booking as another user's."""

    def listed(self) -> Sequence[dict[str, Any]]:
        """See FakeSystem."""
        return [b | {"user_id": "somebody"} if b["id"] == 3 else b for b in self.bookings]


@dataclass
class ShowsOldSeats(FakeSystem):
    """Sends live updates that show a seat too many."""

    def shown_left(self) -> int:
        """See FakeSystem."""
        return super().shown_left() + 1


@dataclass
class ForgetsKeys(FakeSystem):
    """Books once more if a request is repeated with its key."""

    def answer(self, key: str, user_id: str) -> tuple[int, dict[str, Any]]:
        """See FakeSystem."""
        return self.reserve(user_id)


@pytest.mark.parametrize(
    ("liar", "accusation"),
    [
        (Oversells(), "oversold: 11 seats booked and -1 left of 10"),
        (HidesOverselling(), "oversold: the bookings have 11 seats of 10"),
        (LosesABooking(), "told that booking 3 is booked, and it is CANCELLED"),
        (HidesABooking(), "told that booking 3 is booked, and there is none"),
        (BooksAfterRefusing(), "who was told: refused already_booked"),
        (BooksAfterNotDone(), "who was told: refused already_booked"),
        (Miscounts(), "the seats do not add up"),
        (MiscountsBoth(), "the bookings have 10 seats, and 9 are counted as booked"),
        (SendsBuyersAway(), "were told that it is sold out, and 1 seats are left"),
        (GivesAwayABooking(), "told that booking 3 is booked, and it is another user's"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, FakeSystem) else "",
)
async def test_a_lie_is_found(liar: FakeSystem, accusation: str) -> None:
    """A system that oversells, loses bookings or counts wrongly could pass the check."""
    result = await played(liar)
    assert result.exit_status == 1
    assert any(accusation in line for line in result.verdict.disagreements), (
        result.verdict.disagreements
    )


async def test_live_updates_that_lie_are_found() -> None:
    """Pages could show free seats that are sold."""
    result = await played(ShowsOldSeats(), watch_seconds=0.2)
    accusation = "the live updates show 1 seats left, the event has 0"
    assert result.verdict.disagreements == [accusation]


async def test_a_seat_that_is_sold_twice_is_found() -> None:
    """Two buyers could have one seat, while all counts are right."""
    result = await played(SellsASeatTwice(), room_id=5)
    assert result.verdict.disagreements == ["seat 9 is sold 2 times, to the bookings [9, 10]"]


async def test_a_booking_made_twice_by_a_repeated_key_is_found() -> None:
    """A system that forgets keys could book twice for a buyer whose response was lost."""
    result = await played(ForgetsKeys(cut_offs=1), seats=100)
    assert result.exit_status == 1
    [line] = result.verdict.disagreements
    assert "is CONFIRMED for" in line
    assert "who was told: booked" in line


async def test_an_honest_system_passes() -> None:
    """The check could accuse a system that tells the truth."""
    result = await played(FakeSystem())
    assert (result.exit_status, result.verdict.notes) == (0, [])
    outcomes = [purchase.outcome for purchase in result.shop.purchases]
    assert outcomes.count(Outcome.BOOKED) == SEATS
    assert outcomes.count(Outcome.REFUSED) == BUYERS - SEATS
    assert result.shop.series.left[-1][1] == 0


async def test_lost_responses_are_asked_for_again() -> None:
    """A booking whose response was lost could count as a defect, or be booked again."""
    system = FakeSystem(cut_offs=4)
    result = await played(system)
    assert (result.exit_status, result.verdict.disagreements) == (0, [])
    lost = [purchase for purchase in result.shop.purchases if purchase.was_unknown]
    assert len(lost) == 4
    assert {purchase.outcome for purchase in lost} == {Outcome.BOOKED}
    assert len(system.bookings) == SEATS


async def test_lost_responses_of_a_steady_load_are_asked_for_again() -> None:
    """The open loop, which repeats nothing while it runs, could leave outcomes unknown."""
    system = FakeSystem(cut_offs=3)
    plan = Plan("steady", buyers=0, rate=1_000, seconds=0.01, connections=8)
    result = await played(system, plan, seats=100)
    assert (result.exit_status, result.verdict.disagreements) == (0, [])
    assert sum(purchase.was_unknown for purchase in result.shop.purchases) == 3
    assert len(system.bookings) == len(result.shop.purchases) > 3


async def test_what_stays_unknown_is_no_success() -> None:
    """A test could pass although nobody knows what became of some bookings."""
    result = await played(FakeSystem(cut_offs=1_000_000), patience_seconds=0.05)
    assert result.verdict.disagreements == []
    assert result.verdict.unresolved == BUYERS
    assert result.exit_status == 2


async def test_a_load_that_is_stopped_is_checked() -> None:
    """Ctrl-C could end the load without a check, or with buyers whose outcome is unknown."""
    stop, system = asyncio.Event(), LosesABooking()
    system.on_reserve = lambda number: stop.set() if number == 4 else None
    plan = replace(RUSH, connections=1)
    async with serving(system) as target:
        result = await run(order(target, plan), unseen, stop)
    assert result.was_stopped
    assert 4 <= len(system.bookings) <= 5  # one is on its way
    assert result.exit_status == 1
    outcomes = {purchase.outcome for purchase in result.shop.purchases}
    assert outcomes <= {Outcome.BOOKED, Outcome.UNSENT, Outcome.NOT_DONE}


async def test_other_buyers_are_no_defect_of_an_event_that_exists() -> None:
    """Bookings of others, made before or meanwhile, could be taken for a defect."""
    system = FakeSystem(total=SEATS)
    system.reserve("somebody")
    others = [f"other-{number}" for number in range(3)]
    system.on_reserve = lambda _: system.reserve_for(others)
    result = await played(system, event_id=EVENT_ID)
    assert (result.exit_status, result.verdict.disagreements) == (0, [])
    assert any("others may have booked" in note for note in result.verdict.notes)
