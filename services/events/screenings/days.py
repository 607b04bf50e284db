"""Days as people in a theater see them: from midnight to the next midnight of its time zone.

Python's zone data decides, not PostgreSQL's: that reads some names as fixed offsets, and may be of
another year.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Day:
    """A day in a time zone: from `begins_at` on, and before `ends_at`. Both are in UTC."""

    time_zone: str
    begins_at: datetime
    ends_at: datetime


def days(day: date, time_zones: Iterable[str]) -> list[Day]:
    """Returns a day in each of some time zones. It may have 23 or 25 hours, or none at all."""
    return [
        Day(name, _midnight(day, name), _midnight(day + timedelta(days=1), name))
        for name in time_zones
    ]


def _midnight(day: date, time_zone: str) -> datetime:
    """Returns when a day begins: where midnight is skipped, at the moment of the skip."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
