"""Holding named or best seats, all or none, until a time."""

from collections.abc import Sequence

from services.bookings.errors import ScreeningNotFound, SeatNotFound
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.limits import excess_of_holds
from services.bookings.inventory.reserving import (
    Context,
    is_exclusive,
    is_hidden,
    objection,
    objection_to_user,
    sold_out,
    take,
)
from services.bookings.inventory.seat_commands import Hold, Seated
from services.bookings.inventory.seats import free_map
from services.bookings.inventory.shortages import (
    shortage_of_best,
    shortage_of_named,
    stranding,
    unavailable,
)
from services.bookings.inventory.stock import Stock
from services.bookings.seating.choosing import Wish, choose
from services.bookings.seating.plan import Plan, among
from services.kit.rpc.errors import Refusal


def hold(stock: Stock, command: Hold, context: Context) -> Outcome:
    """Holds seats, or refuses: because of the event, the user's limits, or seats that are taken."""
    plan = stock.plan
    if plan is None or is_hidden(stock, command.viewer):
        return ScreeningNotFound()
    refusal = objection(stock, context.now, command.viewer) or _unknown(stock, plan, command)
    if refusal := refusal or _excess(stock, command, context):
        return refusal
    if stock.waiting or stock.free <= 0:
        return sold_out(stock, command.seat_count)
    if command.best is not None:
        return _hold_best(stock, plan, command, command.best, context)
    return _hold_named(stock, plan, command, context)


def _unknown(stock: Stock, plan: Plan, command: Hold) -> Refusal | None:
    """Refuses seats and sections that the plan does not have."""
    unknown = [seat_id for seat_id in command.seat_ids if seat_id > plan.seat_count]
    section = command.best.section if command.best else None
    if unknown or (section is not None and section not in plan.of_section):
        return SeatNotFound(sorted(unknown), inventory_revision=stock.rev)
    return None


def _excess(stock: Stock, command: Hold, context: Context) -> Refusal | None:
    """Refuses a user who is booked already, not admitted, or has reached a limit of holds."""
    exclusive = is_exclusive(stock, otherwise=False)
    if refusal := objection_to_user(stock, command, context.now, exclusive=exclusive):
        return refusal
    limits, count = context.limits, command.seat_count
    return excess_of_holds(stock, command.user_id, count, limits, context.now, most=limits.seats)


def _hold_best(
    stock: Stock, plan: Plan, command: Hold, wish: Wish, context: Context
) -> Seated | Refusal:
    free = free_map(stock)
    if chosen := choose(plan, free, wish):
        return _held(stock, command, chosen, context)
    shortage = shortage_of_best(plan, free, wish, suggests=command.suggests_alternatives)
    return unavailable(stock, shortage)


def _hold_named(stock: Stock, plan: Plan, command: Hold, context: Context) -> Seated | Refusal:
    """Holds all named seats; without `require_all`, those of them that are free."""
    free = free_map(stock)
    missing = among(stock.seats.taken, command.seat_ids)
    if missing and (command.require_all or len(missing) == len(command.seat_ids)):
        return unavailable(stock, shortage_of_named(stock, command, missing))
    chosen = among(free, command.seat_ids)
    if stock.orphan_rule and (shortage := stranding(plan, free, chosen)):
        return unavailable(stock, shortage)
    return _held(stock, command, chosen, context, unavailable=missing)


def _held(
    stock: Stock,
    command: Hold,
    seat_ids: Sequence[int],
    context: Context,
    unavailable: Sequence[int] = (),
) -> Seated:
    booking = take(
        stock,
        command.user_id,
        len(seat_ids),
        tuple(seat_ids),
        context,
        exclusive=is_exclusive(stock, otherwise=False),
        ends_at=context.hold_ends_at,
    )
    return Seated(booking, stock.rev, unavailable)
