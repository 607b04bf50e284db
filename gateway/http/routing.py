"""From a method and a path to its route. Literal parts of a path win over variables."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from gateway.contract.bindings import VARIABLE
from gateway.http import errors, query
from gateway.http.messages import JSON, Handler, Request, Response

UNMATCHED = "unmatched"
"""The template under which everything is counted that is no route of ours."""

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template (`/events/{event_id}`), and who answers there.

    `location` is the template of the resource that a refusal may name, `media_type` what a success
    is answered in. A constant route always answers with the same body, a vital one also where there
    is no room for others. A route that `has_encoding` compresses its answers itself.
    `max_body_bytes` is 0 where the limit is that of all.
    """

    method: str
    template: str
    handle: Handler
    media_type: bytes = JSON
    location: str = ""
    is_constant: bool = False
    is_vital: bool = False
    has_encoding: bool = False
    max_body_bytes: int = 0


class Match(NamedTuple):
    """A route, with the decoded variables of the path that led to it."""

    route: Route
    variables: Mapping[str, str]
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A point in the tree of templates: where a part of the path leads, and what ends here."""

    literals: dict[str, "_Place"] = field(default_factory=dict)
    variable: list["_Place"] = field(default_factory=list)
    routes: dict[str, tuple[Route, Sequence[str]]] = field(default_factory=dict)


class Routes:
    """All routes. Those without variables are found by one look-up."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Place()
        self._fixed: dict[tuple[str, str], Match] = {}
        for route in routes:
            self._add(route)

    def __iter__(self) -> Iterator[Route]:
        return (route for place in _places(self._root) for route, _ in place.routes.values())

    def find(self, method: str, path: str) -> Match:
        """Finds the route of a request; HEAD is GET.

        What has no route gets one that says so: BAD_REQUEST, NOT_FOUND or METHOD_NOT_ALLOWED.
        """
        method = "GET" if method == "HEAD" else method
        return self._fixed.get((method, path)) or self._search(method, path)

    def _add(self, route: Route) -> None:
        place, names = self._root, VARIABLE.findall(route.template)
        for part in route.template.removeprefix("/").split("/"):
            if VARIABLE.fullmatch(part):
                place.variable[:] = place.variable or [_Place()]
                place = place.variable[0]
            else:
                place = place.literals.setdefault(part, _Place())
        if route.method in place.routes:
            raise ValueError(f"{route.method} {route.template} is routed twice")
        place.routes[route.method] = (route, names)
        if not names:
            self._fixed[route.method, route.template] = Match(route, NO_VARIABLES)

    def _search(self, method: str, path: str) -> Match:
        try:
            parts = _parts(path)
        except errors.BadRequest:
            return _refusing(method, errors.BadRequest)
        allowed: set[str] = set()
        for place, values in _ends(self._root, parts, ()):
            if method in place.routes:
                route, names = place.routes[method]
                return Match(route, dict(zip(names, values, strict=True)))
            allowed |= place.routes.keys()
        if not allowed:
            return _refusing(method, errors.RouteNotFound)
        allowed |= {"HEAD"} if "GET" in allowed else set()
        allow = ", ".join(sorted(allowed)).encode()
        return _refusing(method, partial(errors.MethodNotAllowed, allow))


def _parts(path: str) -> list[str]:
    parts = path.removeprefix("/").split("/")
    return [query.decoded(part.encode()) for part in parts] if "%" in path else parts


def _ends(
    place: _Place, parts: Sequence[str], values: tuple[str, ...]
) -> Iterator[tuple[_Place, tuple[str, ...]]]:
    """Walks to every place that the parts lead to, the most literal first."""
    if not parts:
        yield place, values
        return
    part, rest = parts[0], parts[1:]
    if part in place.literals:
        yield from _ends(place.literals[part], rest, values)
    if part:
        for next_place in place.variable:
            yield from _ends(next_place, rest, (*values, part))


def _places(place: _Place) -> Iterator[_Place]:
    yield place
    for below in (*place.literals.values(), *place.variable):
        yield from _places(below)


def _refusing(method: str, refusal: Callable[[], errors.HttpRefusal]) -> Match:
    async def handle(request: Request) -> Response:
        raise refusal()

    return Match(Route(method, UNMATCHED, handle), NO_VARIABLES, is_refusal=True)
