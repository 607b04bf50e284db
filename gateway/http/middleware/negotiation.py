"""Content negotiation: the header `Accept`."""

from gateway.http import errors
from gateway.http.headers import accepts
from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import UNMATCHED, Route


class ContentNegotiation:
    """Refuses a client that does not accept the media type of the route."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        if route.template == UNMATCHED:
            return handle

        async def negotiated(request: Request) -> Response:
            accept = request.headers.get(b"accept", b"*/*")
            if accept != b"*/*" and not accepts(accept, route.media_type):
                raise errors.NotAcceptable
            return await handle(request)

        return negotiated
