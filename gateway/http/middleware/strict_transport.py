"""HSTS: tells browsers to use HTTPS only from now on."""

from gateway.http.messages import Handler, Header, Request, Response
from gateway.http.routing import Route


class StrictTransport:
    """Adds `Strict-Transport-Security`, so that no link or typed address leads over HTTP again.

    For a gateway that serves HTTPS: over HTTP browsers ignore the header.
    """

    def __init__(self, seconds: int) -> None:
        self._header: Header = (b"strict-transport-security", b"max-age=%d" % seconds)

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""

        async def strict(request: Request) -> Response:
            response = await handle(request)
            return response._replace(headers=(*response.headers, self._header))

        return strict
