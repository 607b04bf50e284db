"""Lists: how a client gets from page to page."""

import httpx
import pytest

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.rest.v1 import rest_pb2
from gateway.codec.paging import Pages
from gateway.reference import openapi
from tests.gateway import messages
from tests.gateway.bindings import ruled
from tests.gateway.requests import request
from tests.gateway.script import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERED = rest_pb2.MethodRule(paging=rest_pb2.PAGING_NUMBER)


async def test_the_next_page_is_linked(client: httpx.AsyncClient, script: Script) -> None:
    """A client would have to build the next query itself, or lose its filters."""
    script.answers["ListUserBookings"] = lambda _: bookings_pb2.ListUserBookingsResponse(
        bookings=[messages.booking()], next_page_token="to/ken="
    )
    answer = await client.get("/api/bookings/user?user_id=a%26b&page_size=1&pageToken=old")
    assert answer.headers["link"] == (
        '</api/bookings/user?user_id=a%26b&page_size=1&page_token=to%2Fken%3D>; rel="next"'
    )
    assert [booking["booking_id"] for booking in answer.json()] == [7]
    followed = answer.links["next"]["url"]
    await client.get(followed)
    assert script.asked[1].request.user_id == "a&b"
    assert script.asked[1].request.page_token == "to/ken="


async def test_the_last_page_links_nowhere(client: httpx.AsyncClient, script: Script) -> None:
    """A client that follows links would never end."""
    script.answers["ListBookings"] = lambda _: bookings_pb2.ListBookingsResponse()
    answer = await client.get("/api/bookings")
    assert (answer.content, "link" in answer.headers) == (b"[]", False)


async def test_a_query_cannot_end_its_own_link(client: httpx.AsyncClient, script: Script) -> None:
    """A `>` in a query would put links of a client's choice into the header."""
    script.answers["ListEvents"] = lambda _: events_pb2.ListEventsResponse(next_page_token="t")
    answer = await client.send(
        client.build_request("GET", httpx.URL(client.base_url, raw_path=b'/events?query=>",x'))
    )
    assert answer.headers["link"] == '</events?query=%3E%22,x&page_token=t>; rel="next"'


@pytest.mark.parametrize(
    ("query", "page", "limit", "total_pages"),
    [
        ("page=2&limit=10", 2, 10, 3),
        ("page=2", 2, 50, 1),
        ("limit=7", 1, 7, 4),
        ("limit=200", 1, 200, 1),
        ("page=3&page_size=5", 3, 5, 5),
    ],
)
async def test_pages_by_number_have_an_envelope(
    client: httpx.AsyncClient,
    script: Script,
    query: str,
    page: int,
    limit: int,
    total_pages: int,
) -> None:
    """A client that asks by `page` could not learn how many pages there are."""
    script.answers["ListEvents"] = lambda _: events_pb2.ListEventsResponse(
        events=[messages.event()], total=25
    )
    answer = await client.get(f"/events?{query}")
    meta = {"total": 25, "page": page, "limit": limit, "total_pages": total_pages}
    assert answer.json()["meta"] == meta
    assert len(answer.json()["data"]) == 1
    assert answer.headers["x-total-count"] == "25"
    assert script.asked[0].request.page == page


async def test_a_page_size_alone_keeps_the_array(client: httpx.AsyncClient, script: Script) -> None:
    """Clients that page by token would get an object instead of their array."""
    script.answers["ListEvents"] = lambda _: events_pb2.ListEventsResponse()
    assert (await client.get("/events?page_size=5")).json() == []


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "limit=-1", "limit=201", "limit=1&page_size=1"]
)
async def test_a_page_that_cannot_be_is_refused(
    client: httpx.AsyncClient, script: Script, query: str
) -> None:
    """A client would get another page than it asked for."""
    answer = await client.get(f"/events?{query}")
    assert answer.status_code == 422
    assert answer.json()["details"][0]["path"] in {"page", "page_size", "limit"}


@pytest.mark.parametrize("query", ["page=1&page_token=x", "limit=5&pageToken=x"])
async def test_a_page_has_a_number_or_a_token(
    client: httpx.AsyncClient, script: Script, query: str
) -> None:
    """Of two pages that are asked for at once one would be ignored."""
    answer = await client.get(f"/events?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert answer.json()["details"][0]["path"] in {"page_token", "pageToken"}
    assert not script.asked


@pytest.mark.parametrize(
    ("query", "asked", "meta"),
    [
        ([], [("page", "1")], (1, 50, 1)),
        ([("limit", "7")], [("limit", "7"), ("page", "1")], (1, 7, 4)),
        ([("page", "2")], [("page", "2")], (2, 50, 1)),
        ([("page", "2"), ("limit", "9")], [("page", "2"), ("limit", "9")], (2, 9, 3)),
    ],
)
async def test_a_list_without_tokens_is_always_in_an_envelope(
    query: list[tuple[str, str]], asked: list[tuple[str, str]], meta: tuple[int, int, int]
) -> None:
    """A client could not learn that there are more than fifty."""
    pages = Pages(ruled("ListEvents", NUMBERED))
    assert pages.ask(query) == asked
    given = dict(asked)
    message = events_pb2.ListEventsRequest(
        page=int(given["page"]), page_size=int(given.get("limit", 0))
    )
    response = events_pb2.ListEventsResponse(total=25, next_page_token="t")
    page, limit, total_pages = meta
    assert pages.shown(message, response, ["row"]) == {
        "data": ["row"],
        "meta": {"total": 25, "page": page, "limit": limit, "total_pages": total_pages},
    }
    assert pages.headers(request("GET", "/events"), response) == [(b"x-total-count", b"25")]


async def test_a_list_without_tokens_documents_its_envelope() -> None:
    """Generated clients would expect an array, or a link that never comes."""
    document = openapi.document([ruled("ListEvents", NUMBERED)], {})
    success = document["paths"]["/events"]["get"]["responses"]["200"]
    schema = success["content"]["application/json"]["schema"]
    assert schema["required"] == ["data", "meta"]
    assert success["headers"].keys() == {"X-Request-Id", "X-Total-Count"}


async def test_a_page_that_is_too_large_is_refused(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that asked for 1000 rows and got 200 would take them for all."""
    answer = await client.get("/api/bookings?page_size=1000")
    assert answer.status_code == 422
    assert answer.json()["details"] == [{"path": "page_size", "message": "must be from 0 to 200"}]
    assert not script.asked
