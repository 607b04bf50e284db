import itertools
import re
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Database
from tests.e2e.client import (
    create_event,
    named,
    new_user,
    open_client,
    refusal,
    reserve,
)
from tests.e2e.conftest import Start
from tests.e2e.system import System

BOOKING = [
    *("id", "booking_id", "reference", "bookingReference", "event_id", "user_id", "status"),
    *("seat_count", "seat_ids", "price", "created_at", "expires_at", "cancelled_at", "event"),
]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NEXT = re.compile(r'<(/[^>]*)>; rel="next"')
TOP = "/api/bookings/top-users"
LISTS = ["/events", "/api/bookings", "/api/bookings/user?user_id=ada", "/api/bookings/event/{id}"]

_revisions = itertools.count(1)


def walk(client: httpx.Client, path: str) -> list[list[dict[str, Any]]]:
    """Follows the links from page to page."""
    pages = []
    while True:
        response = client.get(path)
        assert response.status_code == 200
        pages.append(response.json())
        link = response.headers.get("link")
        if link is None:
            return pages
        form = NEXT.fullmatch(link)
        assert form
        path = form[1]


def joined(pages: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Returns the rows of all pages."""
    return list(itertools.chain.from_iterable(pages))


def token(response: httpx.Response) -> str:
    """Returns the token of the next page."""
    form = NEXT.fullmatch(response.headers["link"])
    assert form
    return httpx.URL(form[1]).params["page_token"]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    """Returns the numbers of events or bookings."""
    return [row["id"] for row in rows]


def book_at(database: Database, moment: str, *users: str) -> None:
    """Adds to the ledger the rows of bookings that users made at a time."""
    with psycopg.connect(database.owner_dsn) as connection:
        for user in users:
            number = next(_revisions)
            values = (2**50, number, 2**50 + number, user, moment)
            connection.execute(
                "INSERT INTO bookings.ledger (event_id, rev, kind, booking_id, user_id, seats, at)"
                " VALUES (%s, %s, 'RESERVED', %s, %s, 1, %s)",
                values,
            )


def test_a_booking_shows_every_field(client: httpx.Client) -> None:
    """A field could be missing in one of the ways to read a booking."""
    starts_at, price = "2099-10-13T12:34:56.000Z", {"amount_minor": 1250, "currency": "EUR"}
    event, user = create_event(client, starts_at=starts_at, price=price), new_user()
    made = reserve(client, event["id"], user).json()
    response = client.get(f"/api/bookings/booking/{made['booking_id']}")
    booking = response.json()
    assert response.status_code == 200
    assert list(booking) == BOOKING
    assert UUID.fullmatch(booking["reference"])
    assert booking == {
        "id": made["booking_id"],
        "booking_id": made["booking_id"],
        "reference": booking["reference"],
        "bookingReference": booking["reference"],
        "event_id": event["id"],
        "user_id": user,
        "status": "HELD",
        "seat_count": 1,
        "seat_ids": [],
        "price": price,
        "created_at": made["created_at"],
        "expires_at": made["expires_at"],
        "cancelled_at": None,
        "event": {"id": event["id"], "name": "Concert", "starts_at": starts_at},
    }
    assert client.get("/api/bookings/user", params={"user_id": user}).json() == [booking]
    assert client.get(f"/api/bookings/event/{event['id']}").json() == [booking]
    assert booking in client.get("/api/bookings?page_size=200").json()


def test_an_unknown_booking_is_not_found(client: httpx.Client) -> None:
    """An unknown booking could be something else than a 404."""
    response = client.get("/api/bookings/booking/1099511627776")
    assert refusal(response) == (404, "booking_not_found")


def test_an_unknown_event_has_no_list(client: httpx.Client) -> None:
    """An unknown event could look like one without bookings."""
    response = client.get("/api/bookings/event/1099511627776")
    assert refusal(response) == (404, "event_not_found")
    assert client.get(f"/api/bookings/event/{create_event(client)['id']}").json() == []


def test_a_user_without_bookings_has_an_empty_list(client: httpx.Client) -> None:
    """A user without bookings could get a 404."""
    response = client.get("/api/bookings/user", params={"user_id": new_user()})
    assert (response.status_code, response.json()) == (200, [])


@pytest.mark.parametrize("query", ["", "?user_id=", "?user_id=a%00b", f"?user_id={'a' * 129}"])
def test_the_list_of_a_user_requires_a_user(client: httpx.Client, query: str) -> None:
    """A list without a user could show the bookings of all."""
    assert named(client.get(f"/api/bookings/user{query}")) == {"user_id"}


def test_the_alias_of_user_id_is_accepted(client: httpx.Client) -> None:
    """`userId` could work in bodies only."""
    user = new_user()
    reserve(client, create_event(client)["id"], user)
    assert len(client.get("/api/bookings/user", params={"userId": user}).json()) == 1


def test_links_lead_through_all_bookings_of_an_event(client: httpx.Client) -> None:
    """New bookings during the paging could repeat or hide a row."""
    event = create_event(client, 20)
    made = [reserve(client, event["id"], new_user()).json()["booking_id"] for _ in range(7)]
    path = f"/api/bookings/event/{event['id']}?page_size=3"
    first = client.get(path)
    reserve(client, event["id"], new_user())
    rest = walk(client, f"{path}&page_token={token(first)}")
    pages = [first.json(), *rest]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert ids(joined(pages)) == made[::-1]


def test_links_lead_through_all_bookings_of_a_user(client: httpx.Client) -> None:
    """A link could lose the filter of the first page."""
    user = f"{new_user()} & sons\u00e9"
    made = [
        reserve(client, create_event(client)["id"], user).json()["booking_id"] for _ in range(5)
    ]
    query = httpx.QueryParams({"user_id": user, "page_size": 2})
    pages = walk(client, f"/api/bookings/user?{query}")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert ids(joined(pages)) == made[::-1]


def test_links_lead_through_all_bookings(client: httpx.Client) -> None:
    """A row could be repeated, or be out of order."""
    event = create_event(client, 3)
    made = [reserve(client, event["id"], new_user()).json()["booking_id"] for _ in range(3)]
    found = ids(joined(walk(client, "/api/bookings?page_size=200")))
    assert set(made) <= set(found)
    assert found == sorted(set(found), reverse=True)


@pytest.mark.parametrize(("size", "shown"), [("", 50), ("?page_size=0", 50), ("?page_size=7", 7)])
def test_a_page_has_fifty_rows_by_default(client: httpx.Client, size: str, shown: int) -> None:
    """A page could have more than two hundred rows."""
    event = create_event(client, 60)
    for _ in range(51):
        assert reserve(client, event["id"], new_user()).status_code == 201
    path = f"/api/bookings/event/{event['id']}"
    assert len(client.get(f"{path}{size}").json()) == shown
    assert len(client.get(f"{path}?page_size=200").json()) == 51


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "size", ["-1", "201", "x", "1.0", "1_0", "+5", " 5", "\u0665", "99999999999"]
)
def test_a_page_size_is_a_number(client: httpx.Client, path: str, size: str) -> None:
    """A page size that is no plain number could be accepted."""
    where = path.format(id=create_event(client)["id"])
    url = httpx.URL(where).copy_add_param("page_size", size)
    assert named(client.get(url)) == {"page_size"}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "wrong", ["x", "AAAA", "!!!!", "a" * 24, "\u00e9", "AAAAAAAAAAAAAAAAAAAAAA"]
)
def test_a_made_up_token_is_refused(client: httpx.Client, path: str, wrong: str) -> None:
    """A made-up token could read rows at an arbitrary place."""
    where = path.format(id=create_event(client)["id"])
    response = client.get(httpx.URL(where).copy_add_param("page_token", wrong))
    assert refusal(response) == (400, "invalid_page_token")


def test_a_token_belongs_to_its_list(client: httpx.Client) -> None:
    """A token of one list could open another."""
    event, user = create_event(client), new_user()
    for name in (user, new_user(), new_user()):
        reserve(client, event["id"], name)
    reserve(client, create_event(client)["id"], user)
    lists = [
        "/api/bookings?page_size=1",
        f"/api/bookings/user?user_id={user}&page_size=1",
        f"/api/bookings/event/{event['id']}?page_size=1",
        "/events?page_size=1",
        "/events?query=concert&page_size=1",
        "/events?status=PUBLISHED&page_size=1",
    ]
    tokens = {path: token(client.get(path)) for path in lists}
    for path, (owner, given) in itertools.product(lists, tokens.items()):
        response = client.get(f"{path}&page_token={given}")
        if path == owner:
            assert response.status_code == 200
            assert client.get(f"{path}0&page_token={given}").status_code == 200
        else:
            assert refusal(response) == (400, "invalid_page_token")


def test_a_repeated_parameter_is_refused(client: httpx.Client) -> None:
    """A parameter that is sent twice, or unknown, could be ignored."""
    assert named(client.get("/api/bookings/user?user_id=a&user_id=b")) == {"user_id"}
    assert named(client.get("/api/bookings/user?user_id=a&userId=a")) == {"userId"}
    assert named(client.get("/api/bookings?colour=red")) == {"colour"}
    assert named(client.get("/events?sort=name")) == {"sort"}


def test_events_are_listed_newest_first(client: httpx.Client) -> None:
    """A list could show an event otherwise than it is shown alone."""
    events = [create_event(client) for _ in range(3)]
    reserve(client, events[1]["id"])
    listed = client.get("/events?page_size=3").json()
    assert listed == [client.get(f"/events/{event['id']}").json() for event in events[::-1]]


def test_events_are_found_by_status_and_words(client: httpx.Client) -> None:
    """A search could miss a field, or the last word while it is typed."""
    word = new_user().replace("-", "")
    by_name = create_event(client, name=f"Evening of {word}", status="COMPLETED")
    by_venue = create_event(client, venue=f"{word} Hall")
    by_text = create_event(client, description=f"All about {word}s")
    found = client.get("/events", params={"query": word}).json()
    assert ids(found) == ids([by_text, by_venue, by_name])
    assert ids(client.get("/events", params={"query": f"{word} hal"}).json()) == [by_venue["id"]]
    params = {"query": word, "status": "COMPLETED"}
    assert ids(client.get("/events", params=params).json()) == [by_name["id"]]
    assert client.get("/events", params={"organizer_id": "acct_nobody"}).json() == []
    client.delete(f"/events/{by_text['id']}")
    assert ids(client.get("/events", params={"query": word}).json()) == ids([by_venue, by_name])


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("status=published", "status"),
        ("status=", "status"),
        ("organizer_id=", "organizer_id"),
        ("query=a%00b", "query"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("limit=-1", "limit"),
    ],
)
def test_wrong_filters_are_named(client: httpx.Client, query: str, wrong: str) -> None:
    """An error could name a filter otherwise than the query does."""
    assert named(client.get(f"/events?{query}")) == {wrong}


def test_numbered_pages_have_every_row_once(client: httpx.Client) -> None:
    """Numbered pages could repeat rows, or count them wrongly."""
    word = new_user().replace("-", "")
    events = [create_event(client, name=word) for _ in range(5)]
    response = client.get("/events", params={"query": word, "page": 2, "limit": 2})
    assert response.json()["meta"] == {"total": 5, "page": 2, "limit": 2, "total_pages": 3}
    assert response.json().keys() == {"data", "meta"}
    assert ids(response.json()["data"]) == ids([events[2], events[1]])
    assert response.headers["x-total-count"] == "5"
    beyond = client.get("/events", params={"query": word, "page": 9, "limit": 2}).json()
    assert beyond == {"data": [], "meta": {"total": 5, "page": 9, "limit": 2, "total_pages": 3}}


@pytest.mark.parametrize(
    ("params", "page", "limit"), [({"page": "1"}, 1, 50), ({"limit": "200"}, 1, 200)]
)
def test_page_or_limit_alone_is_enough(
    client: httpx.Client, params: dict[str, str], page: int, limit: int
) -> None:
    """`page` without `limit`, or `limit` without `page`, could be refused."""
    meta = client.get("/events", params=params).json()["meta"]
    assert (meta["page"], meta["limit"]) == (page, limit)


def test_an_empty_list_has_no_pages(client: httpx.Client) -> None:
    """An empty list could have a page, or no total."""
    params = {"query": f"never{new_user()}", "limit": "5"}
    assert client.get("/events", params=params).json() == {
        "data": [],
        "meta": {"total": 0, "page": 1, "limit": 5, "total_pages": 0},
    }


def test_top_users_are_counted_within_a_period(client: httpx.Client, system: System) -> None:
    """A booking at the edge of a period could be counted in another one."""
    sunday, first, last, after = (new_user() for _ in range(4))
    book_at(system.database, "2016-02-28T23:59:59.999Z", sunday)
    book_at(system.database, "2016-02-29T00:00:00Z", first)
    book_at(system.database, "2016-03-01T00:59:59.999+01:00", last)
    book_at(system.database, "2016-03-01T00:00:00Z", after)
    expected = {
        "period=day&date=2016-02-28": {sunday},
        "period=day&date=2016-02-29": {first, last},
        "period=day&date=2016-03-01": {after},
        "period=week&date=2016-02-22": {sunday},
        "period=week&date=2016-03-06": {first, last, after},
        "period=month&date=2016-02-03": {sunday, first, last},
        "period=month&date=2016-03-31": {after},
    }
    for query, users in expected.items():
        rows = client.get(f"{TOP}?{query}").json()
        assert {row["user_id"] for row in rows} == users, query


def test_top_users_share_their_places(client: httpx.Client, system: System) -> None:
    """Users with equal counts could get different places."""
    stars = sorted([new_user(), new_user()])
    others = [new_user() for _ in range(11)]
    book_at(system.database, "2015-05-05T12:00:00Z", *stars, *stars, *others)
    response = client.get(f"{TOP}?period=day&date=2015-05-05")
    assert response.status_code == 200
    expected = [{"place": 1, "user_id": star, "bookings_count": 2} for star in stars]
    expected += [
        {"place": 3, "user_id": other, "bookings_count": 1} for other in sorted(others)[:8]
    ]
    assert response.json() == expected


def test_top_users_count_live_bookings(start: Start) -> None:
    """Bookings of a cancelled event could be counted."""
    with open_client(start().url) as client:
        assert client.get(TOP).json() == []
        first, second = create_event(client), create_event(client)
        reserve(client, first["id"], "ada")
        reserve(client, second["id"], "ada")
        reserve(client, second["id"], "bob")
        expected = [
            {"place": 1, "user_id": "ada", "bookings_count": 2},
            {"place": 2, "user_id": "bob", "bookings_count": 1},
        ]
        assert client.get(TOP).json() == expected
        assert client.get(f"{TOP}?period=month").json() == expected
        client.delete(f"/events/{second['id']}")
        left = [{"place": 1, "user_id": "ada", "bookings_count": 1}]
        assert client.get(TOP).json() == left


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("period=year", "period"),
        ("period=DAY", "period"),
        ("period=day&date=2016-02-30", "date"),
        ("period=day&date=yesterday", "date"),
        ("period=day&date=2016-2-3", "date"),
        ("period=day&date=\u0662016-02-03", "date"),
    ],
)
def test_wrong_periods_are_named(client: httpx.Client, query: str, wrong: str) -> None:
    """A date that does not exist could be accepted."""
    assert named(client.get(f"{TOP}?{query}")) == {wrong}
