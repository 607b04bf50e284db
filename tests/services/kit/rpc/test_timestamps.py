"""Times as messages carry them."""

from datetime import UTC, datetime, timedelta, timezone

from services.kit.rpc.timestamps import timestamp


def test_a_time_is_written_in_utc() -> None:
    """To the microsecond, whatever its own zone."""
    moment = datetime(2025, 10, 13, 14, 34, 56, 789, tzinfo=timezone(timedelta(hours=2)))
    written = timestamp(moment)
    assert written is not None
    assert written.ToDatetime(tzinfo=UTC) == datetime(2025, 10, 13, 12, 34, 56, 789, tzinfo=UTC)


def test_no_time_stays_unset() -> None:
    """An unset field of a message is given None."""
    assert timestamp(None) is None
