"""The application: finds who answers a request, inside all layers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.http import errors
from gateway.http.cors import Origins
from gateway.http.messages import Response
from gateway.http.middleware import Layer
from gateway.http.routing import Match, Route, Routes
from services.kit.rpc.errors import Refusal


class App:
    """All routes, each inside all layers; `layers` are listed from the outermost in.

    While `is_draining` every response asks its client to come back on another connection.
    """

    def __init__(self, routes: Iterable[Route], layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._origins = next((layer for layer in layers if isinstance(layer, Origins)), None)
        self._routes = Routes(self._wrapped(route) for route in routes)
        self.is_draining = False

    def find(self, method: str, path: str) -> Match:
        """Finds the route of a request; what has none gets one that says so."""
        match = self._routes.find(method, path)
        if match.is_refusal:
            return Match(self._wrapped(match.route), match.variables)
        return match

    def refuse(self, refusal: Refusal, sender: bytes | None) -> Response:
        """Answers a request that no route sees; `sender` is its `Origin` header."""
        response = errors.response(refusal)
        if self._origins is None or sender is None:
            return response
        return self._origins.share(response, sender)

    def _wrapped(self, route: Route) -> Route:
        handle = route.handle
        for layer in reversed(self._layers):
            handle = layer.wrap(route, handle)
        return replace(route, handle=handle)
