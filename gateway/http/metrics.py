"""Metrics of the gateway. Labels are templates and statuses, never values of clients."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "boxoffice_http_requests_total", "Requests answered", ["route", "method", "status"]
)
SECONDS = Histogram(
    "boxoffice_http_seconds",
    "Time from a request's head to its answer",
    ["route", "method"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
BATCHED = Histogram(
    "boxoffice_batch_items",
    "Requests that shared a batch, by the lane that they waited in: bookings.writes",
    ["lane"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
SERVICE_UP = Gauge("boxoffice_service_up", "Whether a service answers that it serves", ["service"])
CONNECTIONS = Gauge("boxoffice_http_connections", "Connections that are open, without streams")
TLS_FAILURES = Counter(
    "boxoffice_tls_handshake_failures_total",
    "Connections that ended before they were encrypted",
)
STREAMS = Gauge("boxoffice_http_streams", "Responses that are being streamed")
LIVE_EVENTS = Gauge("boxoffice_live_events", "Events that are followed for clients who watch them")
LIVE_QUEUES = Gauge("boxoffice_live_queues", "Queues that are followed for clients who wait")
LIVE_PLACES = Gauge("boxoffice_live_places", "Clients who are told their position in a queue")
LIVE_INTERRUPTIONS = Counter(
    "boxoffice_live_interruptions_total", "Times that live updates of an event were interrupted"
)
CROWDED_OUT = Counter(
    "boxoffice_http_connections_crowded_out_total",
    "Idle connections closed, and newcomers turned away, as there were too many",
    ["which"],
)
LIMITED = Counter(
    "boxoffice_rate_limited_total", "Requests refused, as there were too many", ["quota"]
)
STORE_FAILURES = Counter(
    "boxoffice_rate_limit_store_failures_total",
    "Requests counted by this process alone, as the shared store failed",
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a label of their own; all others are counted together."""
