"""How many requests are answered at once, however many connections there are."""

from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import UNMATCHED, Route
from services.kit.rpc.errors import Unavailable


class Capacity:
    """A layer that refuses requests beyond `most` at once.

    Vital routes are always answered, and so is what is refused anyway.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        if route.is_vital or route.template == UNMATCHED:
            return handle

        async def bounded(request: Request) -> Response:
            if self._count >= self._most:
                raise Unavailable
            self._count += 1
            try:
                return await handle(request)
            finally:
                self._count -= 1

        return bounded
