"""The ASGI application: finds the route of a request, lets it answer, and sends that."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway import headers
from gateway.exchange import Header, Receive, Request, Scope, Send, joined
from gateway.layers import Layer
from gateway.routing import Match, Route, Routes

CLOSE: Header = (b"connection", b"close")


class App:
    """All routes, each inside all layers; `layers` are listed from the outermost in.

    While `is_draining` every answer asks its client to come back on another connection.
    """

    def __init__(self, routes: Iterable[Route], layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._routes = Routes(self._wrapped(route) for route in routes)
        self.is_draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3."""
        fields = joined(scope["headers"])
        request_id = headers.request_id(fields.get(b"x-request-id"))
        path = scope["raw_path"].decode("ascii")
        match = self._match(scope["method"], path)
        answer = await match.route.handle(
            Request(
                scope["method"],
                path,
                match.variables,
                scope["query_string"],
                fields,
                request_id,
                receive,
            )
        )
        sent = [
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", request_id.encode()),
        ]
        if self.is_draining:
            sent.append(CLOSE)
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.body})

    def _match(self, method: str, path: str) -> Match:
        match = self._routes.find(method, path)
        if match.is_refusal:
            return Match(self._wrapped(match.route), match.variables)
        return match

    def _wrapped(self, route: Route) -> Route:
        handle = route.handle
        for layer in reversed(self._layers):
            handle = layer.wrap(route, handle)
        return replace(route, handle=handle)
