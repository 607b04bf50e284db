"""The rules of the reference for assigned seats: holding, releasing, confirming, blocking."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.bookings.inventory.commands import Command
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    Release,
    ReleaseUser,
)
from services.bookings.seating.plan import Plan
from tests.services.bookings.inventory.reference_event import MOST_HELD, Answer, Event, Seats
from tests.services.bookings.seating import naive

NO_SCREENING: Answer = ("SCREENING_NOT_FOUND", None, None, None)
NO_RESERVATION: Answer = ("RESERVATION_NOT_FOUND", None, None, None)


def decide(event: Event, command: Command, now: datetime, made: int | None) -> Answer:
    """Decides a command about seats; `made` is the revision that made the booking it names."""
    if isinstance(command, Hold | ReleaseUser | BlockSeats):
        if event.plan_id is None or event.hides_from(command.viewer):
            return NO_SCREENING
        return RULES[type(command)](event, command, now)
    is_ticket = isinstance(command, IssueTicket)
    if made is None or not (is_ticket or made in event.seated):
        return NO_RESERVATION
    return RULES[type(command)](event, made, now)


def _hold(event: Event, command: Hold, now: datetime) -> Answer:
    plan, user = event.plan, command.user_id
    if refused := event.objection(now, command.viewer):
        return refused
    assert plan is not None
    unknown = tuple(sorted(each for each in command.seat_ids if each > plan.seat_count))
    if unknown or (command.best and command.best.section not in {None, *plan.of_section}):
        return ("SEAT_NOT_FOUND", event.rev, unknown)
    exclusive = event.is_exclusive(otherwise=False)
    if exclusive and (had := event.exclusive_of(user)):
        return ("ALREADY_BOOKED", event.rev, had.made, None)
    if event.holds_too_much(user, command.seat_count, MOST_HELD, now):
        return ("RATE_LIMITED", event.rev, None, None)
    return _hold_free(event, plan, command, now)


def _hold_free(event: Event, plan: Plan, command: Hold, now: datetime) -> Answer:
    if event.line or event.taken >= event.room:
        return ("SOLD_OUT", event.rev, None, None)
    if command.best:
        ids = naive.choose(plan, event.free, command.best)
        return _given(event, command, ids, now) if ids else _refused(event, {}, None, [])
    return _hold_named(event, plan, command, now)


def _hold_named(event: Event, plan: Plan, command: Hold, now: datetime) -> Answer:
    free = event.free
    chosen = sorted(free.intersection(command.seat_ids))
    missing = [seat_id for seat_id in command.seat_ids if seat_id not in free]
    if missing and (command.require_all or not chosen):
        return _taken(event, missing)
    alone = naive.stranded(plan, free, chosen) if event.state.orphan_rule else []
    if alone:
        return _refused(event, dict.fromkeys(chosen, "orphan"), None, alone)
    return _given(event, command, chosen, now, missing)


def _taken(event: Event, missing: list[int]) -> Answer:
    """Refuses seats that are taken."""
    reasons, ends = {}, []
    for seat_id in missing:
        holder = next((each for each in event.live.values() if seat_id in each.ids), None)
        is_held = holder is not None and holder.ends_at is not None
        reasons[seat_id] = "blocked" if holder is None else "held" if is_held else "sold"
        ends.append(holder.ends_at if holder else None)
    last = None if None in ends else max(end for end in ends if end)
    return _refused(event, reasons, last, [])


def _refused(
    event: Event, reasons: dict[int, str], free_again_at: datetime | None, alone: list[int]
) -> Answer:
    left = len(event.free)
    reasons_sorted = tuple(sorted(reasons.items()))
    return ("SEATS_UNAVAILABLE", event.rev, reasons_sorted, free_again_at, tuple(alone), left)


def _given(
    event: Event, command: Hold, ids: list[int], now: datetime, missing: list[int] | None = None
) -> Answer:
    exclusive = event.is_exclusive(otherwise=False)
    seats = event.hold(command.user_id, len(ids), now, exclusive=exclusive, ids=ids)
    return _seated(event, seats, missing)


def _seated(event: Event, seats: Seats, missing: list[int] | None = None) -> Answer:
    unavailable = tuple(sorted(missing or ()))
    held = (seats.made, seats.user, seats.ids, seats.price, seats.ends_at, unavailable)
    return ("SEATED", event.rev, *held)


def _kept(event: Event, seats: Seats) -> Answer:
    """Answers that nothing changed."""
    return ("KEPT", *_seated(event, seats)[1:])


def _release(event: Event, made: int, now: datetime) -> Answer:
    seats = event.live.get(made)
    if seats is None:
        return ("KEPT", event.rev, 0, 0)
    if seats.ends_at is None:
        return ("INVALID_TRANSITION", event.rev, None, None)
    return _released(event, [seats], now)


def _release_user(event: Event, command: ReleaseUser, now: datetime) -> Answer:
    live = event.live.values()
    return _released(event, [s for s in live if s.user == command.user_id and s.ends_at], now)


def _released(event: Event, holds: list[Seats], now: datetime) -> Answer:
    count = 0
    for seats in holds:
        count += seats.count
        event.end("CANCELLED", seats)
        event.let_go.append((seats.user, now))
    rev = event.rev
    if not holds:
        return ("KEPT", rev, 0, 0)
    return ("RELEASED", rev, count, event.serve_line(now))


def confirm(event: Event, made: int, _: datetime) -> Answer:
    """Confirms a booking with a valid ticket."""
    seats = event.live.get(made)
    if seats is None:
        return ("HOLD_EXPIRED", event.rev, None, None)
    had_ticket, seats.ticket = seats.ticket, "VALID"
    if seats.ends_at is None:
        return _kept(event, seats) if had_ticket == "VALID" else _ticketed(event, seats)
    kind = "CONFIRMED" if seats.place is None else "ACCEPTED"
    place, seats.place, seats.ends_at, seats.paying = seats.place, None, None, False
    event.add_row(kind, seats.user, place=place, made=made, ids=seats.ids)
    return _seated(event, seats)


def _issue(event: Event, made: int, now: datetime) -> Answer:
    seats = event.live.get(made)
    if seats is None or not seats.price:
        return confirm(event, made, now)
    if seats.ticket:
        return _kept(event, seats)
    seats.ticket = "AWAITING_PAYMENT"
    return _ticketed(event, seats)


def _ticketed(event: Event, seats: Seats) -> Answer:
    event.add_row("TICKETED", seats.user, made=seats.made, ends_at=seats.ends_at, ids=seats.ids)
    return _seated(event, seats)


def _block(event: Event, command: BlockSeats, now: datetime) -> Answer:
    wanted = set(command.seat_ids)
    if event.closed:
        return ("EVENT_NOT_BOOKABLE", event.rev, None, None)
    assert event.plan is not None
    unknown = tuple(sorted(each for each in wanted if each > event.plan.seat_count))
    if unknown:
        return ("SEAT_NOT_FOUND", event.rev, unknown)
    if missing := sorted(wanted - event.blocked - event.free):
        _, rev, reasons, _, alone, left = _taken(event, missing)
        return ("SEATS_UNAVAILABLE", rev, reasons, None, alone, left)
    for kind, ids, sign in (
        ("UNBLOCKED", event.blocked - wanted, -1),
        ("BLOCKED", wanted - event.blocked, 1),
    ):
        if ids:
            event.add_row(kind, count=sign * len(ids), ids=ids)
    event.blocked = wanted
    rev = event.rev
    event.serve_line(now)
    return ("BLOCKED", rev, tuple(sorted(wanted)))


RULES: Mapping[type[Command], Callable[[Event, Any, datetime], Answer]] = {
    Hold: _hold,
    Release: _release,
    ReleaseUser: _release_user,
    IssueTicket: _issue,
    BlockSeats: _block,
}
