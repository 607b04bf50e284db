"""Decides commands in the order of their arrival, without clock, I/O or randomness.

Seats that a command frees go to the waiting list before the next command is decided. Each outcome
carries the revision at which it was true.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

from services.bookings.inventory import (
    blocking,
    cancelling,
    holding,
    paying,
    queueing,
    refunding,
    releasing,
    reserving,
    states,
    ticketing,
    waiting,
)
from services.bookings.inventory.commands import (
    DEFERRED,
    Apply,
    Book,
    Cancel,
    Command,
    Deferred,
    Freeze,
    Outcome,
    Reserve,
    SetSkipFit,
    Sweep,
    UnknownEvent,
    Withdraw,
)
from services.bookings.inventory.payment_commands import (
    RefundEvent,
    RefundPayment,
    SettlePayment,
    SettleRefund,
    StartPayment,
)
from services.bookings.inventory.queue_commands import SetQueue
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    PlanNeeded,
    Release,
    ReleaseUser,
    Transfer,
)
from services.bookings.inventory.stock import Stock
from services.kit.rpc.errors import Refusal


def decide(
    stocks: MutableMapping[int, Stock], commands: Sequence[Command], context: Context
) -> list[Outcome | Deferred]:
    """Decides commands on stocks whose rows are locked, and records the changes in the stocks.

    A state of an event without a stock adds one; any other command for such an event is
    UnknownEvent. Decisions on assigned seats need the plan: without it the outcome is PlanNeeded.
    """
    for stock in stocks.values():
        if stock.plan_id is not None:
            stock.plan = context.plans.loaded(stock.plan_id)
        if stock.plan_id is None or stock.plan is not None:
            waiting.expire_and_promote(stock, context)
    return [_decide(stocks, command, context) for command in commands]


def _decide(
    stocks: MutableMapping[int, Stock], command: Command, context: Context
) -> Outcome | Deferred:
    stock = stocks.get(command.event_id)
    plan_id = _missing_plan(stock, command, context)
    if plan_id is not None:
        return PlanNeeded(plan_id)
    if stock is None:
        return _open(stocks, command, context)
    rule: Rule = _RULES[type(command)]
    outcome = rule(stock, command, context)
    if isinstance(outcome, Refusal) and stock.more_have_ended:
        return DEFERRED
    return outcome


def _missing_plan(stock: Stock | None, command: Command, context: Context) -> int | None:
    """Returns the id of the plan to load before the command can be decided; None if none."""
    if isinstance(command, Apply):
        state = command.state
        if state.closes:
            return None
        if state.plan_id is not None and context.plans.loaded(state.plan_id) is None:
            return state.plan_id
    if stock is None or stock.plan is not None or isinstance(command, _WITHOUT_SEATS):
        return None
    return stock.plan_id


def _open(stocks: MutableMapping[int, Stock], command: Command, context: Context) -> Outcome:
    if not isinstance(command, Apply):
        return UnknownEvent()
    stock = states.opened(command.state, context)
    stocks[stock.event_id] = stock
    return states.judge(stock, command.state)


_WITHOUT_SEATS = (Freeze, SetSkipFit, SetQueue, RefundEvent)
Rule: TypeAlias = Callable[[Stock, Any, Context], Outcome | Deferred]
_RULES: Mapping[type[Command], Rule] = {
    Reserve: reserving.reserve,
    Book: waiting.book,
    Cancel: cancelling.cancel,
    Withdraw: cancelling.withdraw,
    Apply: states.apply,
    Sweep: waiting.sweep,
    Freeze: states.freeze,
    SetSkipFit: states.set_skip_fit,
    Hold: holding.hold,
    Release: releasing.release,
    ReleaseUser: releasing.release_user,
    IssueTicket: ticketing.issue,
    Transfer: ticketing.transfer,
    BlockSeats: blocking.block_seats,
    StartPayment: paying.start,
    SettlePayment: paying.settle,
    RefundPayment: refunding.refund,
    SettleRefund: refunding.settle,
    RefundEvent: refunding.refund_event,
    SetQueue: queueing.set_queue,
}
