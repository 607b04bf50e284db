"""Bookings without its lock, as somebody might break it: tests must notice."""

from services.bookings import __main__ as bookings
from services.bookings.inventory import store


def main() -> None:
    """Serves as bookings does, but reads the rows of events without locking them."""
    store.WAIT = store.SKIP_LOCKED = store.SQL["events"] + b"\n-- without FOR NO KEY UPDATE"
    bookings.main()
