import orjson

from services.events.idempotency import Idempotency
from services.events.theaters import rendering
from services.events.theaters.rooms import Rooms
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.events.client import Client, change_rows
from tests.services.events.theaters import halls


async def test_a_plan_is_rendered_once(client: Client, pool: Pool, database: Database) -> None:
    """Anybody who asks for a stadium again and again would keep a processor busy."""
    room = await halls.room(client, (await halls.theater(client)).id)
    renderer = rendering.Renderer(Rooms(pool, Idempotency(pool, {})))
    first = await renderer.render(room.plan_id)
    change_rows(database, "UPDATE seat_plans SET plan = ''")
    assert await renderer.render(room.plan_id) is first


def test_seats_are_shown_among_other_members() -> None:
    """A room without members after its seats would not be JSON."""
    plan = rendering.RenderedPlan(1, 1, 0, b'"seats":[]')
    assert orjson.loads(plan.within({"id": 1}, {"version": 2})) == {
        "id": 1,
        "seats": [],
        "version": 2,
    }
    assert orjson.loads(plan.within({}, {})) == {"seats": []}
