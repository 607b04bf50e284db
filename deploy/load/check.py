"""The final check: the system has what it told the buyers, and nothing else of them."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.load.api import Api, Availability, Booking
from deploy.load.purchases import Outcome, Purchase
from deploy.load.watching import Watcher

ATTEMPTS = 5
"""How often the bookings are read until nobody has booked meanwhile."""
PAUSE_SECONDS = 0.5
SHOWN = 10
"""Disagreements of one kind that are listed."""

ALLOWED: Mapping[Outcome, frozenset[str]] = {
    Outcome.BOOKED: frozenset({"CONFIRMED"}),
    # An unpaid hold ends by itself.
    Outcome.HELD: frozenset({"HELD", "EXPIRED"}),
    Outcome.CANCELLED: frozenset({"CANCELLED", "EXPIRED"}),
}
"""What a booking may be after what its buyer was told; buyers of other outcomes have none."""
OPEN = frozenset({Outcome.UNKNOWN, Outcome.UNSETTLED})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the system says at the end. `is_quiet` if nobody booked while it was read."""

    seats: Availability
    bookings: Sequence[Booking]
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Sale:
    """What the check knows of the event. `is_own` if nobody but the test books it."""

    event_id: int
    is_own: bool
    total_seats: int
    prefix: str
    """User ids of the test begin like this."""


@dataclass(slots=True)
class Verdict:
    """The result: `disagreements` are defects of the system, `notes` are what was not checked."""

    disagreements: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unresolved: int = 0
    sold: int = 0
    left: int = 0

    @property
    def exit_status(self) -> int:
        """0 if all agrees, 1 if not, 2 if it could not be found out."""
        if self.disagreements:
            return 1
        return 2 if self.unresolved else 0

    def json(self) -> dict[str, Any]:
        """Returns the verdict as JSON."""
        return {
            "agrees": self.exit_status == 0,
            "disagreements": self.disagreements,
            "notes": self.notes,
            "unresolved": self.unresolved,
            "seats_sold": self.sold,
            "seats_left": self.left,
        }


async def gather(api: Api, event_id: int, *, pause_seconds: float = PAUSE_SECONDS) -> Evidence:
    """Reads seats and bookings, again if somebody booked in between. Raises LoadError."""
    attempts = 0
    while True:
        before = await api.availability(event_id)
        bookings = await api.bookings(event_id)
        after = await api.availability(event_id)
        attempts += 1
        if before == after or attempts == ATTEMPTS:
            return Evidence(after, bookings, is_quiet=before == after)
        await asyncio.sleep(pause_seconds)  # until other buyers pause


def judge(sale: Sale, purchases: Sequence[Purchase], evidence: Evidence) -> Verdict:
    """Compares what the buyers were told with what the system says."""
    seats = evidence.seats
    verdict = Verdict(sold=seats.booked, left=seats.left)
    for found in (
        _lost(purchases, evidence),
        _unexpected(sale, purchases, evidence),
        _miscounted(sale, evidence),
        _sold_twice(evidence),
        _undersold(sale, purchases, seats),
    ):
        lines = list(found)
        verdict.disagreements += lines[:SHOWN]
        if len(lines) > SHOWN:
            verdict.disagreements.append(f"and {len(lines) - SHOWN} more like this")
    verdict.unresolved = sum(one.outcome in OPEN for one in purchases)
    if not sale.is_own:
        verdict.notes.append(
            "The event is not the test's own, so others may have booked: the number of seats that "
            "are sold was only compared with the bookings that can be seen."
        )
    if not evidence.is_quiet:
        verdict.notes.append("Others kept booking, so seats were not counted by their bookings.")
    return verdict


async def judge_watchers(
    watchers: Sequence[Watcher], evidence: Evidence, verdict: Verdict, *, seconds: float
) -> None:
    """Compares what watchers see with the seats that are left; they may be behind for a time."""
    if not evidence.is_quiet:
        return
    left = evidence.seats.left
    shown = [watcher for watcher in watchers if watcher.left is not None]
    if len(shown) < len(watchers):
        reason = next((one.failure for one in watchers if one.failure), "nothing came")
        verdict.notes.append(f"Not all live updates could be watched: {reason}.")
    await asyncio.gather(*(watcher.reach(left, seconds) for watcher in shown))
    for watcher in shown:
        if watcher.left != left:
            verdict.disagreements.append(
                f"the live updates show {watcher.left} seats left, the event has {left}"
            )


def _lost(purchases: Sequence[Purchase], evidence: Evidence) -> Iterator[str]:
    """Yields bookings that buyers were told of and that are not there, or are something else."""
    listed = {booking.id: booking for booking in evidence.bookings}
    for one in purchases:
        if one.outcome not in ALLOWED or one.booking_id is None:
            continue
        told = f"{one.user_id} was told that booking {one.booking_id} is {one.outcome}"
        booking = listed.get(one.booking_id)
        if booking is None:
            if one.outcome is not Outcome.CANCELLED:
                yield f"{told}, and there is none"
        elif booking.user_id != one.user_id:
            yield f"{told}, and it is another user's"
        elif booking.status not in ALLOWED[one.outcome]:
            yield f"{told}, and it is {booking.status}"
        elif one.seat_ids and list(one.seat_ids) != list(booking.seat_ids):
            yield f"{told} with the seats {list(one.seat_ids)}, and it has {list(booking.seat_ids)}"


def _unexpected(sale: Sale, purchases: Sequence[Purchase], evidence: Evidence) -> Iterator[str]:
    """Yields live bookings of buyers of the test who were told of none, or of another one."""
    told = {one.user_id: one for one in purchases}
    for booking in evidence.bookings:
        if not (booking.is_live and booking.user_id.startswith(sale.prefix)):
            continue
        one = told.get(booking.user_id)
        if one is None or (one.outcome not in OPEN and one.booking_id != booking.id):
            known = f"who was told: {one.outcome} {one.code}".rstrip() if one else "who never asked"
            yield f"booking {booking.id} is {booking.status} for {booking.user_id}, {known}"


def _miscounted(sale: Sale, evidence: Evidence) -> Iterator[str]:
    """Yields counts of seats that contradict each other."""
    seats = evidence.seats
    shown = f"{seats.booked} seats booked and {seats.left} left of {seats.total}"
    if seats.booked > seats.total or seats.left < 0:
        yield f"oversold: {shown}"
    if seats.booked + seats.left != seats.total:
        yield f"the seats do not add up: {shown}"
    counted = sum(booking.seat_count for booking in evidence.bookings if booking.is_live)
    if counted > seats.total:
        yield f"oversold: the bookings have {counted} seats of {seats.total}"
    if sale.is_own and seats.total != sale.total_seats:
        yield f"the event has {seats.total} seats, and was made with {sale.total_seats}"
    if not evidence.is_quiet:
        return
    if counted > seats.booked or (sale.is_own and counted != seats.booked):
        yield f"the bookings have {counted} seats, and {seats.booked} are counted as booked"


def _sold_twice(evidence: Evidence) -> Iterator[str]:
    """Yields seats that several bookings have."""
    live = [booking for booking in evidence.bookings if booking.is_live]
    owners = Counter(seat for booking in live for seat in booking.seat_ids)
    for seat, count in owners.items():
        if count > 1:
            ids = [booking.id for booking in live if seat in booking.seat_ids]
            yield f"seat {seat} is sold {count} times, to the bookings {ids}"
    for booking in live:
        if booking.seat_ids and len(booking.seat_ids) != booking.seat_count:
            yield f"booking {booking.id} has {booking.seat_count} seats: {list(booking.seat_ids)}"


def _undersold(sale: Sale, purchases: Sequence[Purchase], seats: Availability) -> Iterator[str]:
    """Yields that buyers were sent away although seats were left that nobody had given back."""
    refused = sum(one.code == "sold_out" for one in purchases)
    has_returns = any(one.outcome in {Outcome.HELD, Outcome.CANCELLED} for one in purchases)
    if sale.is_own and refused and seats.left > 0 and not has_returns:
        yield f"{refused} buyers were told that it is sold out, and {seats.left} seats are left"
