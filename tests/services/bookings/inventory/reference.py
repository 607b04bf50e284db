"""The rules of the inventory as loops over dictionaries, the model for the core.

It decides one command after the other, knows no batches, and shares no rule with the core.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from services.bookings.inventory.commands import (
    Apply,
    Book,
    Cancel,
    Command,
    EventState,
    Freeze,
    Reserve,
    SetSkipFit,
    Sweep,
    Withdraw,
)
from services.bookings.seating.plan import Plan
from tests.services.bookings.inventory import reference_payments, reference_seats
from tests.services.bookings.inventory.reference_event import (
    MOST_HELD,
    NOT_FOUND,
    Answer,
    Event,
    Party,
    Seats,
)

UNKNOWN: Answer = ("UNKNOWN", None, None, None)
NO_BOOKING: Answer = ("BOOKING_NOT_FOUND", None, None, None)


@dataclass(slots=True)
class Reference:
    """All events of the model, the duration of offers, and the seat plans."""

    offer_seconds: int
    plans: Mapping[int, Plan] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)

    def decide(self, command: Command, now: datetime, made: int | None = None) -> Answer:
        """Decides a command; `made` is the revision that made the booking it names."""
        event = self.events.get(command.event_id)
        if event is None:
            return self._open(command)
        event.settle(now)
        if isinstance(command, Cancel):
            return _cancel(event, made, now, by_organizer=command.by_organizer)
        if isinstance(command, Apply):
            return _apply(event, command, now, self.plans)
        if type(command) in reference_payments.RULES:
            return reference_payments.RULES[type(command)](event, command, now, made)
        if type(command) in reference_seats.RULES:
            return reference_seats.decide(event, command, now, made)
        return _RULES[type(command)](event, command, now)

    def price(self, event_id: int, payment_id: UUID) -> int:
        """Returns what a payment was asked for, 0 if it was not started."""
        event = self.events.get(event_id)
        money = event.payments.get(payment_id) if event else None
        return money.price if money else 0

    def _open(self, command: Command) -> Answer:
        if not isinstance(command, Apply):
            return UNKNOWN
        state = command.state
        event = self.events[state.event_id] = Event(state, self.offer_seconds)
        event.epoch, event.judged, event.closed = state.epoch, state.rev, state.closes
        event.plan_id = None if state.closes else state.plan_id
        event.plan = self.plans.get(event.plan_id or 0)
        event.add_row("OPENED", capacity=event.capacity)
        return ("JUDGED", 1, *event.verdict)


def _reserve(event: Event, command: Reserve, now: datetime) -> Answer:
    if refused := event.objection(now, command.viewer):
        return refused
    exclusive = event.is_exclusive(otherwise=command.exclusive)
    if exclusive and (seats := event.exclusive_of(command.user_id)):
        return ("ALREADY_BOOKED", event.rev, seats.made, None)
    if event.line or event.taken + command.seat_count > event.room:
        return ("SOLD_OUT", event.rev, None, None)
    return _give(event, command.user_id, command.seat_count, now, exclusive=exclusive)


def _give(event: Event, user: str, count: int, now: datetime, *, exclusive: bool) -> Answer:
    ids = event.best(count)
    if not event.price(count, ids):
        return _booked(event, event.give("RESERVED", user, count, exclusive=exclusive, ids=ids))
    if event.holds_too_much(user, count, max(count, MOST_HELD), now):
        return ("RATE_LIMITED", event.rev, None, None)
    return _booked(event, event.hold(user, count, now, exclusive=exclusive, ids=ids))


def _booked(event: Event, seats: Seats) -> Answer:
    status = "HELD" if seats.ends_at else "CONFIRMED"
    booked = (seats.made, seats.user, seats.count, seats.price, status, seats.ends_at, seats.ids)
    return ("BOOKED" if seats.place is None else "OFFERED", event.rev, *booked)


def _book(event: Event, command: Book, now: datetime) -> Answer:
    if refused := event.objection(now, command.viewer):
        return refused
    user, count = command.user_id, command.seat_count
    for seats in event.live.values():
        if seats.user == user and seats.place is not None:
            return _booked(event, seats)
    exclusive = event.is_exclusive(otherwise=True)
    if exclusive and (had := event.exclusive_of(user)):
        return ("ALREADY_BOOKED", event.rev, had.made, None)
    if not event.line and event.taken + count <= event.room:
        return _give(event, user, count, now, exclusive=exclusive)
    return _join(event, user, count)


def _join(event: Event, user: str, count: int) -> Answer:
    for position, party in enumerate(event.line, start=1):
        if party.user == user:
            return ("ALREADY_WAITING", event.rev, None, position)
    if count > event.capacity and count > 1:
        return ("SOLD_OUT", event.rev, None, None)
    event.last_place += 1
    event.line.append(Party(event.last_place, user, count))
    event.waited.add(user)
    event.add_row("JOINED", user, place=event.last_place)
    return ("WAITING", event.rev, user, count, len(event.line))


def _cancel(event: Event, made: int | None, now: datetime, *, by_organizer: bool = False) -> Answer:
    if made in event.over:
        return ("ALREADY_CANCELLED", event.rev, None, None)
    if made is None:
        return NO_BOOKING
    ended = event.live[made]
    event.end("CANCELLED", ended)
    if ended.ends_at is not None:
        event.let_go.append((ended.user, now))
    rev, starts_at = event.rev, event.state.starts_at
    if bought := event.buyer(made):
        payment_id, money = bought
        if by_organizer or starts_at is None or now < starts_at:
            event.give_back(money, uuid5(payment_id, "rest"), money.left)
    return ("CANCELLED", rev, made, event.serve_line(now))


def _withdraw(event: Event, command: Withdraw, now: datetime) -> Answer:
    if event.hides_from(command.viewer):
        return NOT_FOUND
    user, rule = command.user_id, event.state.one_booking_per_user
    given = event.exclusive_of(user)
    if given is None and rule is not None:
        for seats in event.live.values():
            given = seats if seats.user == user else given
    if given is not None:
        return _cancel(event, given.made, now)
    for party in event.line:
        if party.user == user:
            event.line.remove(party)
            event.add_row("LEFT", user, place=party.place)
            return ("LEFT", event.rev, event.serve_line(now))
    was_there = user in event.waited or user in event.had_exclusive
    if was_there or (rule is not None and user in event.had_any):
        return ("ALREADY_CANCELLED", event.rev, None, None)
    return NO_BOOKING


def _apply(event: Event, command: Apply, now: datetime, plans: Mapping[int, Plan]) -> Answer:
    state = command.state
    is_news = state.rev > event.judged if state.epoch == event.epoch else command.begins_epoch
    if not is_news:
        is_last = (state.epoch, state.rev) == (event.epoch, event.judged)
        return ("JUDGED", event.rev, *(event.verdict if is_last else ("STALE", "", 0)))
    event.epoch, event.judged = state.epoch, state.rev
    if refusal := _refusal(event, state):
        event.verdict = ("REFUSED", refusal, 0)
        return ("JUDGED", event.rev, *event.verdict)
    event.verdict = ("APPLIED", "", _put_in_force(event, state, plans))
    rev = event.rev
    event.serve_line(now)
    return ("JUDGED", rev, *event.verdict)


def _refusal(event: Event, state: EventState) -> str:
    if state.closes:
        return ""
    if state.plan_id != event.plan_id and event.had_any:
        return "INVALID_TRANSITION"
    if state.capacity < event.taken:
        return "CAPACITY_BELOW_BOOKED"
    is_withdrawn = state.status == "DRAFT" and event.state.status != "DRAFT" and event.live
    is_other_rule = state.one_booking_per_user != event.state.one_booking_per_user
    if event.closed or is_withdrawn or (is_other_rule and event.had_any):
        return "INVALID_TRANSITION"
    return ""


def _put_in_force(event: Event, state: EventState, plans: Mapping[int, Plan]) -> int:
    """Copies a state; returns how many bookings it ended."""
    capacity, ended = event.capacity, 0
    if state.plan_id != event.plan_id and not state.closes:
        if event.blocked:
            event.add_row("UNBLOCKED", count=-len(event.blocked), ids=event.blocked)
            event.blocked = set()
        event.plan_id, event.plan = state.plan_id, plans.get(state.plan_id or 0)
    elif state.closes:
        event.plan = None
    event.state = state
    if event.frozen == "CATALOGUE":
        event.frozen = ""
    if state.closes and not event.closed:
        ended = len(event.live)
        gone = event.taken + len(event.blocked)
        event.add_row("CLOSED", count=-gone, capacity=state.capacity)
        event.blocked = set()
        event.over.update(event.live)
        event.gone |= {made: ("CLOSED", seats) for made, seats in event.live.items()}
        event.live, event.line, event.look_at, event.closed = {}, [], None, True
    elif event.capacity != capacity:
        event.add_row("RESIZED", capacity=event.capacity)
    return ended


def _sweep(event: Event, _: Sweep, now: datetime) -> Answer:
    return ("DONE", None, event.serve_line(now) > 0)


def _freeze(event: Event, command: Freeze, _: datetime) -> Answer:
    is_last = (command.epoch, command.rev) == (event.epoch, event.judged)
    if command.epoch is not None and not is_last:
        return ("DONE", None, False)
    if event.frozen in {"COUNTERS", command.why}:
        return ("DONE", None, False)
    event.frozen = command.why
    return ("DONE", None, True)


def _set_skip_fit(event: Event, command: SetSkipFit, _: datetime) -> Answer:
    event.skip_fit = command.seconds
    return ("DONE", None, True)


_RULES: Mapping[type[Command], Callable[[Event, Any, datetime], Answer]] = {
    Reserve: _reserve,
    Book: _book,
    Withdraw: _withdraw,
    Sweep: _sweep,
    Freeze: _freeze,
    SetSkipFit: _set_skip_fit,
}
