"""Times in messages."""

from datetime import UTC, datetime, timedelta, timezone

from boxoffice.bookings.v1.bookings_pb2 import Booking
from services.kit.rpc.timestamps import moment, timestamp


def test_a_time_is_written_and_read_in_utc() -> None:
    """A time in another zone could be shifted, or lose its microseconds."""
    local = datetime(2025, 10, 13, 14, 34, 56, 789, tzinfo=timezone(timedelta(hours=2)))
    read = moment(Booking(created_at=timestamp(local)), "created_at")
    assert read == datetime(2025, 10, 13, 12, 34, 56, 789, tzinfo=UTC)
    assert read.tzinfo is UTC


def test_no_time_stays_unset() -> None:
    """An unknown time could be shown as 1970."""
    booking = Booking(created_at=timestamp(None))
    assert moment(booking, "created_at") is None
