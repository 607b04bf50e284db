from datetime import UTC, datetime

from deploy.local.sample_cinema import MOVIES, ROOM, create_cinema
from tests.e2e.accounts import add_accounts
from tests.e2e.client import open_client
from tests.e2e.conftest import Start

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)


def test_loading_twice_changes_nothing(start: Start) -> None:
    """Each call could show every movie once more, or the gateway refuse a part of the cinema."""
    system = start()
    admin = add_accounts(system.database, {"admin": "ADMIN"})["admin"].authorization
    with open_client(system.url) as client:
        found = []
        for _ in range(2):
            create_cinema(system.url, NOW, authorization=admin)
            paths = ("movies", "theaters", "screenings")
            found.append([client.get(f"/api/{path}").json() for path in paths])
    assert found[0] == found[1]
    movies, [theater], screenings = found[0]
    assert [room["name"] for room in theater["rooms"]] == [ROOM["name"]]
    assert len(movies) == len(MOVIES)
    assert {screening["available_seats"] for screening in screenings} == {110}
