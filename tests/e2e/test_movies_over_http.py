from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import add_accounts
from tests.e2e.client import named, new_user, open_client, refusal
from tests.e2e.system import System

MOVIE = {
    "title": "Calm before the Storm",
    "description": "A lighthouse.",
    "duration_minutes": 118,
    "release_date": "2025-10-09",
    "director": "Ada Łukasz",
    "cast": ["Zoë Ångström"],
    "genres": ["Drama"],
    "age_rating": "FSK 12",
    "poster_url": "https://example.com/poster.jpg",
}


@pytest.fixture
def admin(system: System) -> Iterator[httpx.Client]:
    """Returns a client with the token of an admin."""
    person = add_accounts(system.database, {"admin": "ADMIN"})["admin"]
    with open_client(system.url) as opened:
        opened.headers["authorization"] = person.authorization
        yield opened


def create(admin: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Creates a movie."""
    response = admin.post("/api/movies", json=MOVIE | fields)
    assert response.status_code == 201, response.text
    return dict(response.json())


def test_a_movie_is_created_and_read(admin: httpx.Client, client: httpx.Client) -> None:
    """A field could be lost between JSON and the database."""
    response = admin.post("/api/movies", json=MOVIE)
    assert response.status_code == 201, response.text
    movie = response.json()
    path = f"/api/movies/{movie['id']}"
    assert (response.headers["location"], response.headers["etag"]) == (path, '"1"')
    computed = {name: movie[name] for name in ("id", "created_at", "updated_at")}
    assert movie == {**MOVIE, **computed, "version": 1}
    found = client.get(path)
    assert found.json() == movie
    assert client.get(path, headers={"if-none-match": found.headers["etag"]}).status_code == 304


def test_a_movie_is_found_by_its_words(admin: httpx.Client, client: httpx.Client) -> None:
    """A query could be lost on its way, or a page be without the way to the next one."""
    word = new_user().replace("-", "")
    for year in (2001, 2002, 2003):
        create(admin, title=f"Ünique {word} {year}", release_date=f"{year}-05-01")
    first = client.get("/api/movies", params={"query": f"unique {word}", "page_size": 2})
    second = client.get(first.links["next"]["url"])
    titles = [movie["title"][-4:] for page in (first, second) for movie in page.json()]
    assert titles == ["2003", "2002", "2001"]
    asked: dict[str, str | int] = {"query": word, "sort": "release_asc", "page": 2, "limit": 2}
    numbered = client.get("/api/movies", params=asked).json()
    assert [movie["title"][-4:] for movie in numbered["data"]] == ["2003"]
    assert numbered["meta"] == {"total": 3, "page": 2, "limit": 2, "total_pages": 2}
    assert named(client.get("/api/movies", params={"sort": "best"})) == {"sort"}


def test_a_resource_that_was_read_can_be_edited_and_put(admin: httpx.Client) -> None:
    """A client would have to know which fields it may send back."""
    movie = create(admin)
    path = f"/api/movies/{movie['id']}"
    response = admin.put(path, json=movie | {"title": "Storm"}, headers={"if-match": '"1"'})
    assert response.json() == movie | {
        "title": "Storm",
        "version": 2,
        "updated_at": response.json()["updated_at"],
    }
    cleared = admin.put(path, json={"duration": 90, "cast": None, "director": None}).json()
    assert (cleared["duration_minutes"], cleared["cast"], cleared["director"]) == (90, [], None)
    late = admin.put(path, json={"title": "Late"}, headers={"if-match": '"1"'})
    assert refusal(late) == (412, "version_mismatch")
    assert named(admin.put(path, json={"release_date": "2025-02-30"})) == {"release_date"}


def test_a_deleted_movie_is_gone(admin: httpx.Client, client: httpx.Client) -> None:
    """A repeated request could be told that there never was such a movie."""
    movie = create(admin)
    path, key = f"/api/movies/{movie['id']}", {"idempotency-key": new_user()}
    first = admin.delete(path, headers=key)
    again = admin.delete(path, headers=key)
    assert first.json() == again.json() == {"movie_id": movie["id"]}
    assert again.headers["idempotent-replayed"] == "true"
    assert refusal(client.get(path)) == (404, "movie_not_found")
