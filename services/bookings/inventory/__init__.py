"""The core: decides every change of an inventory, and is its only writer.

`lane` collects commands and runs one `transaction` for all commands that arrived during the
previous one: `store` locks the events and loads what `needs` lists, `decide` applies the rules, and
`saving` writes the changes of each `stock`. No other module writes the inventory, the bookings, the
waiting list, the ledger or the notices. Queries for lists are in the other rooms.
"""

from services.bookings.inventory.commands import EventState, FeedPosition, Judgement, Verdict
from services.bookings.inventory.inventory import Inventory, Seats
from services.bookings.inventory.states import is_news, judge
from services.bookings.inventory.transaction import Ask

__all__ = [
    "Ask",
    "EventState",
    "FeedPosition",
    "Inventory",
    "Judgement",
    "Seats",
    "Verdict",
    "is_news",
    "judge",
]
