from prometheus_client import REGISTRY

from services.bookings.inventory import Inventory
from services.bookings.inventory.measuring import Measurements
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.screening import as_owner


def figures() -> list[float | None]:
    """Returns what Prometheus reads: frozen events of both kinds, and the lag of the sweep."""
    return [
        REGISTRY.get_sample_value("boxoffice_frozen_events", {"kind": "counters"}),
        REGISTRY.get_sample_value("boxoffice_frozen_events", {"kind": "catalogue"}),
        REGISTRY.get_sample_value("boxoffice_sweep_lag_seconds"),
    ]


async def test_frozen_events_and_holds_that_ended_long_ago_are_measured(
    database: Database, pool: Pool, inventory: Inventory
) -> None:
    """Nobody would be told of an event that sells nothing, or of seats that nobody is offered."""
    measurements = Measurements(pool)
    for event_id in range(1, 6):
        await inventory.apply(concert(event_id))
    await measurements.measure()
    assert figures() == [0, 0, 0]
    for change, event_ids in (
        ("frozen = 'COUNTERS'", "1, 2"),
        ("frozen = 'CATALOGUE'", "3"),
        ("next_expiry_at = now() - interval '1 hour'", "4"),
        ("next_expiry_at = now() + interval '1 hour'", "5"),
    ):
        as_owner(database, f"UPDATE inventory SET {change} WHERE event_id IN ({event_ids})")
    await measurements.measure()
    *frozen, lag = figures()
    assert frozen == [2, 1]
    assert lag is not None
    assert 3600 <= lag < 7200
