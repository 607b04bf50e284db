"""Switches the queue of an event. The room `queue` moves its line."""

from services.bookings.errors import EventNotBookable, EventNotFound
from services.bookings.inventory.commands import Done, Outcome
from services.bookings.inventory.queue_commands import SetQueue
from services.bookings.inventory.reserving import Context, is_hidden
from services.bookings.inventory.stock import Stock


def set_queue(stock: Stock, command: SetQueue, context: Context) -> Outcome:
    """Switches the queue. From the commit on, nobody books without an admission."""
    if is_hidden(stock, command.viewer):
        return EventNotFound()
    if stock.is_closed:
        return EventNotBookable(inventory_revision=stock.rev)
    stock.queue_since = (stock.queue_since or context.now) if command.enabled else None
    stock.queue_settings = command.settings
    stock.state_changed = True
    return Done(changed=True)
