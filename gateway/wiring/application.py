"""The application: every route inside the middleware."""

from collections.abc import Callable, Sequence

from limits.aio.strategies import RateLimiter

from gateway.admission.gate import Admission
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings
from gateway.endpoint import Endpoint
from gateway.http.app import App
from gateway.http.middleware.stack import middleware_stack
from gateway.http.routing import Route
from gateway.http.server.limits import LIMITS, Limits
from gateway.live.hub import Hub
from gateway.operations import health
from gateway.pages import site
from gateway.reference import docs_page
from gateway.rpc.call import Call
from gateway.services import AUDIT
from gateway.settings import Settings
from gateway.sockets import routes as socket_routes
from gateway.sockets.routes import Sockets
from gateway.wiring.calls import calls
from gateway.wiring.channels import Channels, by_process
from gateway.wiring.limits import admissions, stream_limit
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.spans import Spans


def application(
    settings: Settings,
    channels: Channels,
    authenticator: Authenticator,
    counters: RateLimiter,
    *,
    hub: Hub,
    live_sockets: Sockets,
    limits: Limits = LIMITS,
    spans: Spans | None = None,
) -> App:
    """Puts the gateway together: every route inside the middleware."""
    bindings = read_bindings((*channels, AUDIT))
    admission = admissions(settings, authenticator, counters)
    endpoints = _endpoints(bindings, calls(settings, channels, hub), admission)
    return App(
        (
            *health.routes(by_process(channels)),
            *site.routes(
                open_access=settings.open_access,
                mailbox_url=settings.mailbox_url,
                payment_providers=settings.payment_providers,
            ),
            *docs_page.routes(
                bindings,
                open_access=settings.open_access,
                mailbox_url=settings.mailbox_url,
                scheme="https" if settings.http_tls else "http",
            ),
            *socket_routes.routes(live_sockets, has_cors=bool(settings.cors_origins)),
            *endpoints,
        ),
        middleware_stack(
            log_sample=settings.log_sample,
            slow_seconds=settings.slow_seconds,
            cors_origins=settings.cors_origins,
            max_requests=settings.max_requests,
            streams=stream_limit(settings, limits),
            log_requests=settings.log_requests,
            hsts_seconds=settings.hsts_seconds if settings.http_tls else 0,
            spans=spans,
        ),
    )


def _endpoints(
    bindings: Sequence[Binding],
    find_call: Callable[[Binding], Call],
    admission: Callable[[Binding], Admission],
) -> Sequence[Route]:
    return [
        Route(
            binding.http_method,
            binding.path,
            Endpoint(binding, find_call(binding), admission(binding)),
            media_type=binding.media_type.encode(),
            location=binding.rule.location,
            has_encoding=binding.has_encoding,
            max_body_bytes=binding.rule.max_body_bytes,
            is_stream=binding.is_stream,
        )
        for binding in bindings
    ]
