"""How an inventory changes: the database locks, loads and saves; Python decides.

`lane` collects commands and runs one `transaction` for all that arrived while the last one was
under way: `store` locks the events and loads what the `commands` need, `decide` decides, `store`
saves the changes of each `stock`. Nothing else writes the inventory, the bookings, the waiting
list, the ledger or the notices. Reading them for lists belongs to the modules beside this package.
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
