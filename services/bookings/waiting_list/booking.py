"""Books seats of events by key or joins the waiting list, and cancels either."""

from functools import partial

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Book, Withdraw
from services.bookings.managing import ask_type
from services.bookings.waiting_list import messages

# Stored with idempotency keys: keep these names even if an RPC is renamed.
BOOK = "book_ticket"
CANCEL = "cancel_ticket"


def book(
    event: tuple[str, int],
    user_id: str,
    seat_count: int,
    viewer: Viewer,
    request_id: str = "",
    *,
    queue_token: str = "",
) -> Ask:
    """Makes an ask for seats or a place in line. Takes the event's key and number."""
    event_key, event_id = event
    key = idempotency_key(viewer, BOOK, request_id, event_id, user_id, seat_count)
    answer = partial(messages.book_response, event_key)
    command = Book(event_id, user_id, seat_count, viewer, queue_token)
    return ask_type(viewer, user_id)(command, key, answer)


def cancel(event_id: int, user_id: str, viewer: Viewer, request_id: str = "") -> Ask:
    """Makes an ask to cancel a user's booking, or to take them off the waiting list."""
    key = idempotency_key(viewer, CANCEL, request_id, event_id, user_id)
    command = Withdraw(event_id, user_id, viewer)
    return ask_type(viewer, user_id)(command, key, messages.cancel_response)
