from datetime import UTC, date, datetime, timedelta

import pytest

from services.events.screenings.days import days


@pytest.mark.parametrize(
    ("day", "time_zone", "hours"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 7, 1), "Europe/Berlin", 24),
        # Midnight itself is skipped, or comes twice.
        (date(2024, 9, 8), "America/Santiago", 23),
        (date(2024, 11, 3), "America/Havana", 25),
        # The day was left out when the date line moved.
        (date(2011, 12, 30), "Pacific/Apia", 0),
    ],
)
def test_a_day_has_the_hours_that_its_zone_gives_it(day: date, time_zone: str, hours: int) -> None:
    """With 24 hours for each day a late screening would be listed on the wrong one, or on none."""
    [found] = days(day, [time_zone])
    assert found.ends_at - found.begins_at == timedelta(hours=hours)
    [following] = days(day + timedelta(days=1), [time_zone])
    assert following.begins_at == found.ends_at


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    """Tokyo's Friday is not London's."""
    tokyo, london = days(date(2026, 1, 2), ["Asia/Tokyo", "Europe/London"])
    assert tokyo.begins_at == datetime(2026, 1, 1, 15, tzinfo=UTC)
    assert london.begins_at == datetime(2026, 1, 2, tzinfo=UTC)
