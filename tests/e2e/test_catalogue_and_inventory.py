import asyncio
import random
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.client import create_event, new_key, new_user, open_client, refusal, reserve
from tests.e2e.raw_http import crowd, request, reservation
from tests.e2e.system import System, until
from tests.services.bookings.conftest import drift

ROUNDS = 10
UNKNOWN = 1_099_511_627_776
RECOVERY_SECONDS = 60


@pytest.fixture(scope="module")
def repaired(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs a system, which `fragile` repairs after each test."""
    with cloned(postgres) as database, System(database, tmp_path_factory.mktemp("fragile")) as one:
        yield one


@pytest.fixture
def fragile(repaired: System) -> Iterator[System]:
    """Returns a system that the test may break; repairs and checks it afterwards."""
    yield repaired
    for process in repaired.processes:
        if not process.is_running:
            process.start()
    repaired.wait_until_ready()
    assert drift(repaired.database) == []


@pytest.fixture
def client(fragile: System) -> Iterator[httpx.Client]:
    """Returns a client of that system."""
    with open_client(fragile.url) as opened:
        yield opened


def path(event_id: int) -> str:
    """Returns the path of an event."""
    return f"/events/{event_id}"


def statuses(database: Database, event_id: int) -> list[str]:
    """Returns the statuses of an event's bookings."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        rows = connection.execute(
            "SELECT status FROM booking_details WHERE event_id = %s", [event_id]
        )
        return [status for (status,) in rows.fetchall()]


def end_connections(database: Database) -> int:
    """Ends every connection of the services to the database, and counts them."""
    with psycopg.connect(database.owner_dsn) as connection:
        ended = connection.execute("""
            SELECT pg_terminate_backend(pid)
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)
        return ended.rowcount


def allow_connections(postgres: EmbeddedPostgres, database: Database, *, allowed: bool) -> None:
    """Opens or closes the database for everybody."""
    name = sql.Identifier(str(conninfo_to_dict(database.owner_dsn)["dbname"]))
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(statement.format(name, sql.Literal(allowed)))


def test_an_event_is_bookable_as_soon_as_it_is_created(client: httpx.Client) -> None:
    """A client could get 404 for an event that it has just created."""
    for _ in range(3 * ROUNDS):
        assert reserve(client, create_event(client)["id"]).status_code == 201


async def test_a_shrink_never_leaves_more_booked_than_seats(
    fragile: System, client: httpx.Client
) -> None:
    """A capacity that shrinks during a sale could leave the event oversold."""
    async with crowd(fragile.ports, 41) as buyers:
        for _ in range(ROUNDS):
            event_id = create_event(client, 40)["id"]
            cut = request("PATCH", path(event_id), {"total_seats": 20})
            asked = [reservation(event_id, new_user()) for _ in range(40)]
            asked.insert(random.randrange(20), cut)
            answers = await buyers.rush(asked)
            changed = answers.pop(asked.index(cut))
            [seen] = await buyers.rush([request("GET", f"/api/events/{event_id}/availability")])
            seats = seen.json
            assert seats["booked"] == sum(answer.status == 201 for answer in answers)
            assert seats["total_seats"] == (20 if changed.status == 200 else 40)
            assert changed.outcome in {(200, ""), (409, "capacity_below_booked")}
            assert {answer.outcome for answer in answers} <= {(201, ""), (409, "sold_out")}


async def test_a_deletion_leaves_no_live_booking(fragile: System, client: httpx.Client) -> None:
    """A reservation during a deletion could leave a live booking."""
    async with crowd(fragile.ports, 41) as buyers:
        for _ in range(ROUNDS):
            event_id = create_event(client, 50)["id"]
            asked = [reservation(event_id, new_user()) for _ in range(40)]
            deletion = request("DELETE", path(event_id))
            asked.insert(random.randrange(40), deletion)
            answers = await buyers.rush(asked)
            deleted = answers.pop(asked.index(deletion))
            booked = sum(answer.status == 201 for answer in answers)
            assert deleted.json == {"event_id": event_id, "cancelled_bookings": booked}
            assert {answer.outcome for answer in answers} <= {(201, ""), (404, "event_not_found")}
            assert statuses(fragile.database, event_id) == ["CANCELLED"] * booked
            assert refusal(reserve(client, event_id)) == (404, "event_not_found")


def test_known_events_are_sold_while_events_is_down(fragile: System, client: httpx.Client) -> None:
    """A failure of events could stop the sale of known events."""
    event_id = create_event(client, 2)["id"]
    fragile.events.kill()
    assert reserve(client, event_id, "ada").status_code == 201
    assert reserve(client, event_id, "bob").status_code == 201
    assert refusal(reserve(client, event_id, "eve")) == (409, "sold_out")
    assert client.get(f"/api/events/{event_id}/availability").json()["left"] == 0
    assert len(client.get(f"/api/bookings/event/{event_id}").json()) == 2
    assert client.get("/ready").json() == {"status": "ready"}
    for response in (
        reserve(client, UNKNOWN),
        client.get(f"/api/events/{UNKNOWN}/availability"),
        client.get(path(event_id)),
        client.post("/events", json={"name": "Concert", "total_seats": 3}),
    ):
        assert refusal(response) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
    fragile.events.start()
    until(lambda: client.get(path(event_id)).status_code == 200, fragile.log)
    until(lambda: reserve(client, UNKNOWN).status_code == 404, fragile.log)
    assert reserve(client, create_event(client)["id"]).status_code == 201


def test_nothing_is_reserved_while_bookings_is_down(fragile: System, client: httpx.Client) -> None:
    """A failure of bookings could make clients wait, or hide the events."""
    event_id = create_event(client)["id"]
    fragile.bookings[0].kill()
    until(lambda: client.get("/ready").status_code == 503)
    ready = client.get("/ready")
    assert ready.json() == {"status": "not_ready", "reason": "bookings"}
    assert client.get("/health").json() == {"status": "ok"}
    for response in (reserve(client, event_id), client.get("/api/bookings")):
        assert refusal(response) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
    shown = client.get(path(event_id))
    assert (shown.status_code, shown.json()["available_seats"]) == (200, None)
    listed = client.get("/events?page_size=1").json()
    assert [event["available_seats"] for event in listed] == [None]
    fragile.bookings[0].start()
    until(lambda: client.get("/ready").status_code == 200, fragile.log)
    assert reserve(client, event_id).status_code == 201
    until(lambda: client.get(path(event_id)).json()["available_seats"] == 2, fragile.log)


def test_events_grow_but_do_not_shrink_while_bookings_is_down(
    fragile: System, client: httpx.Client
) -> None:
    """A shrink could take effect, or get lost, while bookings is down."""
    grown, shrunk, deleted = (create_event(client, 5)["id"] for _ in range(3))
    fragile.bookings[0].kill()
    until(lambda: client.get("/ready").status_code == 503)
    assert client.patch(path(grown), json={"total_seats": 9}).json()["total_seats"] == 9
    assert client.post("/events", json={"name": "New", "total_seats": 1}).status_code == 201
    keyed = {"Idempotency-Key": new_key()}
    in_doubt = (
        client.patch(path(shrunk), json={"total_seats": 4}, headers=keyed),
        client.delete(path(deleted)),
    )
    for response in in_doubt:
        assert refusal(response) == (504, "outcome_unknown")
        assert int(response.headers["retry-after"]) >= 1
    assert refusal(client.patch(path(shrunk), json={"name": "X"})) == (409, "change_pending")
    fragile.bookings[0].start()
    until(lambda: client.get(path(shrunk)).json()["total_seats"] == 4, fragile.log)
    until(lambda: client.get(path(deleted)).status_code == 404, fragile.log)
    again = client.patch(path(shrunk), json={"total_seats": 4}, headers=keyed)
    assert (again.status_code, again.json()["total_seats"]) == (200, 4)
    assert again.headers["idempotent-replayed"] == "true"
    until(lambda: client.get("/ready").status_code == 200, fragile.log)
    assert refusal(reserve(client, deleted)) == (404, "event_not_found")
    assert client.get(f"/api/events/{grown}/availability").json()["left"] == 9


async def test_lost_connections_to_the_database_lose_no_seat(
    fragile: System, client: httpx.Client
) -> None:
    """Lost connections could lose a seat, or sell a second one to a repeated key."""
    event_id = create_event(client, 100)["id"]
    users = [new_user() for _ in range(100)]
    asked = [reservation(event_id, user, new_key()) for user in users]
    async with crowd(fragile.ports, 100) as buyers:
        rushing = asyncio.create_task(buyers.rush(asked))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(end_connections, fragile.database) > 0
        first = await rushing
        assert {answer.status for answer in first} <= {201, 503, 504}
        until(lambda: client.get("/ready").status_code == 200, seconds=RECOVERY_SECONDS)
        again = await buyers.rush(asked)
        async with asyncio.timeout(RECOVERY_SECONDS):
            # Some lost connections are noticed only when they are used next.
            while {answer.status for answer in again} != {201}:
                again = await buyers.rush(asked)
    for before, after in zip(first, again, strict=True):
        assert before.status != 201 or before.body == after.body
    assert statuses(fragile.database, event_id) == ["CONFIRMED"] * 100


def test_readiness_reports_an_unreachable_database(
    postgres: EmbeddedPostgres, fragile: System, client: httpx.Client
) -> None:
    """A gateway without a database could call itself ready, or never recover."""
    event_id = create_event(client)["id"]
    allow_connections(postgres, fragile.database, allowed=False)
    try:
        with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
            name = conninfo_to_dict(fragile.database.owner_dsn)["dbname"]
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        until(lambda: client.get("/ready").status_code == 503, seconds=RECOVERY_SECONDS)
        assert client.get("/ready").json() == {"status": "not_ready", "reason": "db"}
        assert client.get("/health").status_code == 200
        assert refusal(reserve(client, event_id)) == (503, "unavailable")
        assert refusal(client.get(path(event_id))) == (503, "unavailable")
    finally:
        allow_connections(postgres, fragile.database, allowed=True)
    until(lambda: client.get("/ready").status_code == 200, seconds=RECOVERY_SECONDS)
    assert reserve(client, event_id).status_code == 201
    until(lambda: client.get(path(event_id)).status_code == 200, seconds=RECOVERY_SECONDS)
