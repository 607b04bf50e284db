"""From a method and a path to a route."""

import pytest

from gateway.http.errors import BadRequest, HttpRefusal, MethodNotAllowed, RouteNotFound
from gateway.http.messages import Request, Response
from gateway.http.routing import Route, Routes
from tests.gateway.requests import request


async def handle(_: Request) -> Response:
    """Is never called here."""
    raise AssertionError("called")


TEMPLATES = [
    ("GET", "/events"),
    ("POST", "/events"),
    ("GET", "/events/{event_id}"),
    ("DELETE", "/events/{event_id}"),
    ("GET", "/events/mine"),
    ("GET", "/events/{event_id}/rooms/{room_id}"),
    ("GET", "/{kind}/all"),
]
ROUTES = Routes(Route(method, template, handle) for method, template in TEMPLATES)


@pytest.mark.parametrize(
    ("method", "path", "template", "variables"),
    [
        ("GET", "/events", "/events", {}),
        ("HEAD", "/events", "/events", {}),
        ("GET", "/events/5", "/events/{event_id}", {"event_id": "5"}),
        ("GET", "/events/mine", "/events/mine", {}),
        ("GET", "/events/%6Dine", "/events/mine", {}),
        ("GET", "/events/a%2Fb", "/events/{event_id}", {"event_id": "a/b"}),
        ("GET", "/events/%C3%A9", "/events/{event_id}", {"event_id": "é"}),
        ("GET", "/events/all", "/events/{event_id}", {"event_id": "all"}),
        ("GET", "/rooms/all", "/{kind}/all", {"kind": "rooms"}),
        (
            "GET",
            "/events/1/rooms/2",
            "/events/{event_id}/rooms/{room_id}",
            {"event_id": "1", "room_id": "2"},
        ),
    ],
)
def test_a_path_leads_to_its_route(
    method: str, path: str, template: str, variables: dict[str, str]
) -> None:
    """A literal path would be read as a value, or a part be decoded twice."""
    match = ROUTES.find(method, path)
    assert (match.route.template, match.variables) == (template, variables)


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "/", RouteNotFound),
        ("GET", "/events/", RouteNotFound),
        ("GET", "//events", RouteNotFound),
        ("GET", "/events//rooms/2", RouteNotFound),
        ("GET", "/EVENTS", RouteNotFound),
        ("GET", "/events/1/rooms", RouteNotFound),
        ("PUT", "/events", MethodNotAllowed),
        ("OPTIONS", "/events/5", MethodNotAllowed),
        ("TRACE", "/events/mine", MethodNotAllowed),
        ("GET", "/events/%ff", BadRequest),
    ],
)
async def test_an_unknown_path_is_not_found(
    method: str, path: str, refusal: type[HttpRefusal]
) -> None:
    """A wrong path would be answered without a code, or count for no route."""
    with pytest.raises(refusal):
        await ROUTES.find(method, path).route.handle(request(method, path))


async def test_a_wrong_method_is_told_the_right_ones() -> None:
    """A client would have to guess the methods of a path."""
    with pytest.raises(MethodNotAllowed) as caught:
        await ROUTES.find("PUT", "/events").route.handle(request("PUT", "/events"))
    assert caught.value.headers == ((b"allow", b"GET, HEAD, POST"),)


async def test_a_literal_path_is_no_value_of_a_variable() -> None:
    """A wrong method of a literal path could reach the resource that is called like it."""
    with pytest.raises(MethodNotAllowed) as caught:
        await ROUTES.find("DELETE", "/events/mine").route.handle(request("DELETE", "/events/mine"))
    assert caught.value.headers == ((b"allow", b"GET, HEAD"),)


def test_a_route_is_declared_once() -> None:
    """Of two RPCs with one path, one would never be called."""
    with pytest.raises(ValueError, match="twice"):
        Routes([Route("GET", "/a/{b}", handle), Route("GET", "/a/{c}", handle)])
