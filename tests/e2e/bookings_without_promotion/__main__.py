"""Bookings that does not promote when seats come free, for a negative control."""

from services.bookings import __main__ as bookings
from services.bookings.inventory import cancelling
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.stock import Stock


def main() -> None:
    """Serves as bookings does, but leaves the promotion to the sweeper."""
    vars(cancelling)["promote"] = _serve_nobody
    bookings.main()


def _serve_nobody(_stock: Stock, _context: Context) -> int:
    return 0
