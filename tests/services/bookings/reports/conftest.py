"""Fixtures of reports: those of payments."""

from tests.services.bookings.payments.conftest import desk, house, provider, till

__all__ = ["desk", "house", "provider", "till"]
