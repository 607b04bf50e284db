"""Responses to requests that failed."""

import structlog

from gateway.http import errors
from gateway.http.location import Location
from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import Route
from services.kit.rpc.errors import Internal, Refusal

log = structlog.get_logger()


class ErrorResponses:
    """Turns a refusal into its response; logs a defect, and turns it into a 500 without details."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        location = Location(route.location)

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                return errors.response(refusal, location)
            except Exception:
                log.exception("failed", request_id=request.request_id, route=route.template)
                return errors.response(Internal())

        return handled
