import dataclasses

from services.events.events.revisions import Event
from tests.conftest import Database
from tests.services.events.client import rows


def test_an_event_has_the_columns_of_its_table(database: Database) -> None:
    """A column that the class leaves out would never be stored, and never be read."""
    found = rows(
        database,
        """
        SELECT column_name
        FROM information_schema.columns
        WHERE table_schema = 'events' AND table_name = 'events' AND is_generated = 'NEVER'
        """,
    )
    names = {field.name for field in dataclasses.fields(Event)}
    assert names - {"epoch", "theater_id"} == {name for (name,) in found}
