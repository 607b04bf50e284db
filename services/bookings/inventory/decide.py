"""Deciding commands in the order of their arrival. No clock, no I/O, no randomness.

Whatever a command frees goes to those who wait before the next command is looked at. Each outcome
carries the revision at which it was true.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

from services.bookings.inventory import cancelling, reserving, states, waiting
from services.bookings.inventory.commands import (
    Apply,
    Book,
    Cancel,
    Command,
    Freeze,
    Outcome,
    Reserve,
    SetSkipFit,
    Sweep,
    UnknownEvent,
    Withdraw,
)
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.stock import Stock


def decide(
    stocks: MutableMapping[int, Stock], commands: Sequence[Command], context: Context
) -> list[Outcome]:
    """Decides the commands on stocks whose locks are held, and records the changes in them.

    A state of an event that has no stock adds one; any other command for it is UnknownEvent.
    """
    for stock in stocks.values():
        waiting.settle(stock, context)
    return [_decide(stocks, command, context) for command in commands]


def _decide(stocks: MutableMapping[int, Stock], command: Command, context: Context) -> Outcome:
    stock = stocks.get(command.event_id)
    if stock is None:
        return _open(stocks, command, context)
    rule: Rule = _RULES[type(command)]
    return rule(stock, command, context)


def _open(stocks: MutableMapping[int, Stock], command: Command, context: Context) -> Outcome:
    if not isinstance(command, Apply):
        return UnknownEvent()
    stock = states.opened(command.state, context)
    stocks[stock.event_id] = stock
    return states.judge(stock, command.state)


Rule: TypeAlias = Callable[[Stock, Any, Context], Outcome]
_RULES: Mapping[type[Command], Rule] = {
    Reserve: reserving.reserve,
    Book: waiting.book,
    Cancel: cancelling.cancel,
    Withdraw: cancelling.withdraw,
    Apply: states.apply,
    Sweep: waiting.sweep,
    Freeze: states.freeze,
    SetSkipFit: states.set_skip_fit,
}
