"""The application: all routes inside the middleware."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.http import errors
from gateway.http.messages import Response
from gateway.http.middleware.cors import Cors
from gateway.http.middleware.stack import Middleware
from gateway.http.routing import Match, Route, Routes
from services.kit.rpc.errors import Refusal


class App:
    """All routes, each inside the middleware, which is listed outermost first.

    While `is_draining`, every response asks its client to open another connection.
    """

    def __init__(self, routes: Iterable[Route], middleware: Sequence[Middleware]) -> None:
        self._middleware = middleware
        self._cors = next((each for each in middleware if isinstance(each, Cors)), None)
        self._routes = Routes(self._wrapped(route) for route in routes)
        self.is_draining = False

    def find(self, method: str, path: str) -> Match:
        """Returns the route of a request, or a route that refuses it with 400, 404 or 405."""
        match = self._routes.find(method, path)
        if match.is_refusal:
            return Match(self._wrapped(match.route), match.variables)
        return match

    def refuse(self, refusal: Refusal, origin: bytes | None) -> Response:
        """Returns the response to a request that reaches no route; `origin` is its header."""
        response = errors.response(refusal)
        if self._cors is None or origin is None:
            return response
        return self._cors.share(response, origin)

    def _wrapped(self, route: Route) -> Route:
        handle = route.handle
        for middleware in reversed(self._middleware):
            handle = middleware.wrap(route, handle)
        return replace(route, handle=handle)
