"""A limit on the requests in flight, however many connections there are."""

from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import UNMATCHED, Route
from services.kit.rpc.errors import Unavailable


class Capacity:
    """Refuses requests while `max_requests` are in flight.

    Vital routes are exempt, requests without a route, which cost nothing, and streams, which have a
    limit of their own.
    """

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._in_flight = 0

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        if route.is_vital or route.is_stream or route.template == UNMATCHED:
            return handle

        async def bounded(request: Request) -> Response:
            if self._in_flight >= self._max_requests:
                raise Unavailable
            self._in_flight += 1
            try:
                return await handle(request)
            finally:
                self._in_flight -= 1

        return bounded
