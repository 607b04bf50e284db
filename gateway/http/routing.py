"""Finds the route of a method and a path.

Literal parts of a path win over variables, whatever the method: where `/events/organizer` is a
route, `/events/{id}` never matches it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from gateway.contract.bindings import VARIABLE
from gateway.http import errors, query
from gateway.http.messages import JSON, Handler, Request, Response

UNMATCHED = "unmatched"
"""The template in metrics and logs of requests that match no route."""

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template (`/events/{event_id}`), and its handler.

    `location` is the template of the resource that a refusal may name, `media_type` that of a
    success, `max_body_bytes` a limit other than the usual one (0). A constant route always has the
    same body. A vital route responds even when there is no room for others. A route that
    `has_encoding` compresses its responses itself. A stream may respond for hours.
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
    is_stream: bool = False


class Match(NamedTuple):
    """A route, with the decoded variables of the path that led to it."""

    route: Route
    variables: Mapping[str, str]
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """A node in the tree of templates: the nodes below it, and the routes that end here."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    variable: list["_Node"] = field(default_factory=list)
    routes: dict[str, tuple[Route, Sequence[str]]] = field(default_factory=dict)


class Routes:
    """All routes. A route without variables is found by one look-up."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self._fixed: dict[tuple[str, str], Match] = {}
        for route in routes:
            self._add(route)

    def __iter__(self) -> Iterator[Route]:
        return (route for node in _nodes(self._root) for route, _ in node.routes.values())

    def find(self, method: str, path: str) -> Match:
        """Returns the route of a request; HEAD is GET.

        Without a match, returns a route that refuses: BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED.
        """
        method = "GET" if method == "HEAD" else method
        return self._fixed.get((method, path)) or self._search(method, path)

    def _add(self, route: Route) -> None:
        node, names = self._root, VARIABLE.findall(route.template)
        for part in route.template.removeprefix("/").split("/"):
            if VARIABLE.fullmatch(part):
                node.variable[:] = node.variable or [_Node()]
                node = node.variable[0]
            else:
                node = node.literals.setdefault(part, _Node())
        if route.method in node.routes:
            raise ValueError(f"{route.method} {route.template} is routed twice")
        node.routes[route.method] = (route, names)
        if not names:
            self._fixed[route.method, route.template] = Match(route, NO_VARIABLES)

    def _search(self, method: str, path: str) -> Match:
        try:
            parts = _parts(path)
        except errors.BadRequest:
            return _refusing(method, errors.BadRequest)
        for node, values in _ends(self._root, parts, ()):
            if method in node.routes:
                route, names = node.routes[method]
                return Match(route, dict(zip(names, values, strict=True)))
            if node.routes:
                return _refusing(method, partial(errors.MethodNotAllowed, _allow(node)))
        return _refusing(method, errors.RouteNotFound)


def _allow(node: _Node) -> bytes:
    """Lists the methods of the routes that end at a node."""
    methods = {*node.routes, "HEAD"} if "GET" in node.routes else {*node.routes}
    return ", ".join(sorted(methods)).encode()


def _parts(path: str) -> list[str]:
    parts = path.removeprefix("/").split("/")
    return [query.percent_decoded(part.encode()) for part in parts] if "%" in path else parts


def _ends(
    node: _Node, parts: Sequence[str], values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """Yields every node that the parts lead to, the most literal first."""
    if not parts:
        yield node, values
        return
    part, rest = parts[0], parts[1:]
    if part in node.literals:
        yield from _ends(node.literals[part], rest, values)
    if part:
        for next_node in node.variable:
            yield from _ends(next_node, rest, (*values, part))


def _nodes(node: _Node) -> Iterator[_Node]:
    yield node
    for below in (*node.literals.values(), *node.variable):
        yield from _nodes(below)


def _refusing(method: str, refusal: Callable[[], errors.HttpRefusal]) -> Match:
    async def handle(request: Request) -> Response:
        raise refusal()

    return Match(Route(method, UNMATCHED, handle), NO_VARIABLES, is_refusal=True)
