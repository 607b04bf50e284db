"""Applies states of the catalogue: decides which one is in force, and what that changes."""

from dataclasses import fields
from typing import Protocol

from services.bookings.inventory.blocking import unblock
from services.bookings.inventory.changes import Change, Kind
from services.bookings.inventory.commands import (
    DEFERRED,
    Apply,
    Deferred,
    Done,
    EventState,
    Freeze,
    Judgement,
    SetSkipFit,
    Verdict,
)
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.seat_map import SeatMap
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import promote
from services.bookings.seating.plan import seats_of

_COPIED = tuple(
    field.name for field in fields(EventState) if field.name not in {"event_id", "rev", "epoch"}
)


class InForce(Protocol):
    """The fields of an inventory on which the verdict on a new state depends."""

    sold: int
    held: int
    rev: int
    epoch: str
    catalogue_rev: int
    verdict: str
    refusal: str
    cancelled_bookings: int
    status: str
    one_booking_per_user: bool | None
    plan_id: int | None
    was_booked: bool

    @property
    def is_closed(self) -> bool:
        """Whether the event is closed for good."""


def judge(stock: InForce, state: EventState, *, begins_epoch: bool = False) -> Judgement:
    """Decides whether a state comes into force, given what is booked.

    A later revision than the stored one is judged, the same one gets the stored verdict, an earlier
    one changes nothing. Revisions of another epoch cannot be compared: they change nothing, unless
    they are from the listing that begins the epoch.
    """
    if is_news(stock, state, begins_epoch=begins_epoch):
        return _judge_news(stock, state)
    return _judge_again(stock, state)


def is_news(stock: InForce, state: EventState, *, begins_epoch: bool) -> bool:
    """Returns whether a state is later than the latest state judged of its event."""
    if state.epoch != stock.epoch:
        return begins_epoch
    return state.rev > stock.catalogue_rev


def opened(state: EventState, context: Context) -> Stock:
    """Makes the stock of a new event; the stock of a deleted event is closed."""
    stock = Stock(
        event_id=state.event_id,
        capacity=state.capacity,
        name=state.name,
        status=state.status,
        epoch=state.epoch,
        catalogue_rev=state.rev,
        verdict=Verdict.APPLIED,
        closed_at=context.now if state.closes else None,
    )
    stock.is_new = stock.state_changed = True
    if not state.closes:
        _replan(stock, state, context)
    _copy(state, stock)
    stock.record(Change(Kind.OPENED))
    return stock


def apply(stock: Stock, command: Apply, context: Context) -> Judgement | Deferred:
    """Puts a state in force, or records its refusal and keeps the former state in force.

    If it adds seats or opens the sale again, the waiting list is served.
    """
    state = command.state
    if not is_news(stock, state, begins_epoch=command.begins_epoch):
        return _judge_again(stock, state)
    judgement = _judge_news(stock, state)
    if judgement.verdict is Verdict.REFUSED and stock.more_have_ended:
        return DEFERRED
    stock.state_changed = True
    stock.epoch, stock.catalogue_rev = state.epoch, state.rev
    stock.verdict, stock.refusal = judgement.verdict, judgement.refusal
    stock.cancelled_bookings = 0
    if judgement.verdict is Verdict.REFUSED:
        return judgement
    _put_in_force(stock, state, context)
    stock.frozen = "" if stock.frozen == "CATALOGUE" else stock.frozen
    rev = stock.rev
    promote(stock, context)
    return Judgement(Verdict.APPLIED, "", stock.cancelled_bookings, rev)


def freeze(stock: Stock, command: Freeze, _: Context) -> Done:
    """Stops the sale. After wrong counters only an operator can start it again."""
    is_stale = command.epoch is not None and (command.epoch, command.rev) != (
        stock.epoch,
        stock.catalogue_rev,
    )
    if is_stale or stock.frozen in {"COUNTERS", command.why}:
        return Done(changed=False)
    stock.frozen = command.why
    stock.state_changed = True
    return Done(changed=True)


def set_skip_fit(stock: Stock, command: SetSkipFit, _: Context) -> Done:
    """Sets when smaller parties may pass the head of the line."""
    stock.skip_fit_after_seconds = command.seconds
    stock.state_changed = True
    return Done(changed=True)


def _judge_news(stock: InForce, state: EventState) -> Judgement:
    """Decides on a state that is later than the latest judged one."""
    refusal = _objection(stock, state)
    verdict = Verdict.REFUSED if refusal else Verdict.APPLIED
    return Judgement(verdict, refusal, inventory_rev=stock.rev)


def _judge_again(stock: InForce, state: EventState) -> Judgement:
    """Returns the stored verdict for the same revision, else STALE."""
    if (state.epoch, state.rev) != (stock.epoch, stock.catalogue_rev):
        return Judgement(Verdict.STALE, inventory_rev=stock.rev)
    verdict = Verdict(stock.verdict)
    return Judgement(verdict, stock.refusal, stock.cancelled_bookings, stock.rev)


def _objection(stock: InForce, state: EventState) -> str:
    if state.closes:
        return ""
    if state.plan_id != stock.plan_id and stock.was_booked:
        return "INVALID_TRANSITION"
    booked = stock.sold + stock.held
    if state.capacity < booked:
        return "CAPACITY_BELOW_BOOKED"
    becomes_draft = state.status == "DRAFT" and stock.status != "DRAFT"
    changes_rule = state.one_booking_per_user != stock.one_booking_per_user
    if stock.is_closed or (becomes_draft and booked) or (changes_rule and stock.was_booked):
        return "INVALID_TRANSITION"
    return ""


def _put_in_force(stock: Stock, state: EventState, context: Context) -> None:
    """Copies a state. A new capacity and closing change the inventory, so they take a revision."""
    if state.closes:
        _close(stock, state, context)
        return
    capacity = stock.capacity
    if state.plan_id != stock.plan_id:
        _replan(stock, state, context)
    _copy(state, stock)
    if stock.capacity != capacity:
        stock.record(Change(Kind.RESIZED))


def _close(stock: Stock, state: EventState, context: Context) -> None:
    """Closes an event for good. Its bookings, waiting list and seats are written in chunks."""
    is_resized, was_seated = state.capacity != stock.capacity, stock.plan_id is not None
    _copy(state, stock)
    if stock.closed_at is None:
        stock.cancelled_bookings = stock.live_bookings
        has_rows = stock.live_bookings + stock.waiting > 0 or was_seated
        stock.closing = stock.closing or has_rows
        stock.closed_at = context.now
        stock.next_expiry_at = None
        stock.record(
            Change(
                Kind.CLOSED,
                sold=-stock.sold,
                held=-stock.held,
                live=-stock.live_bookings,
                waiting=-stock.waiting,
                blocked=-stock.blocked,
            )
        )
    elif is_resized:
        stock.record(Change(Kind.RESIZED))


def _replan(stock: Stock, state: EventState, context: Context) -> None:
    """Replaces the plan of an event that was never booked; all its seats are free."""
    if stock.blocked:
        unblock(stock, seats_of(stock.seats.blocked))
    stock.plan = None if state.plan_id is None else context.plans.loaded(state.plan_id)
    stock.seats = SeatMap(is_loaded=True)
    stock.is_replanned = True


def _copy(state: EventState, stock: Stock) -> None:
    """Copies the fields of a state.

    The capacity of an event with a plan is the plan's. A closed event keeps its plan.
    """
    plan_id = stock.plan_id
    for name in _COPIED:
        setattr(stock, name, getattr(state, name))
    if state.closes:
        stock.plan_id = plan_id
    elif stock.plan is not None:
        stock.capacity = stock.plan.seat_count
