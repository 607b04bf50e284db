"""Bookings without its lock, for a negative control."""

from services.bookings import __main__ as bookings
from services.bookings.inventory import store
from services.kit.database.round_trip import prepared


def main() -> None:
    """Serves as bookings does, but reads the rows of events without locking them."""
    store.WAIT = store.SKIP_LOCKED = prepared("unlocked", store.SQL["events"])
    bookings.main()
