"""The metrics of every gRPC service, and the port where Prometheus reads them."""

from bisect import bisect_left

from prometheus_client import Counter, Histogram, start_http_server

from services.kit.process import ports
from services.kit.process.ports import CannotListenError


class Durations(Histogram):
    """A histogram that records many equal observations at the cost of one."""

    def observe_many(self, seconds: float, number: int) -> None:
        """Records a duration `number` times."""
        self._sum.inc(seconds * number)
        self._buckets[bisect_left(self._upper_bounds, seconds)].inc(number)


CALLS = Counter("boxoffice_rpc_total", "Calls answered", ["method", "code", "reason"])
SECONDS = Durations(
    "boxoffice_rpc_seconds",
    "Time from a call's arrival to its answer",
    ["method"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
WORKER_FAILURES = Counter(
    "boxoffice_worker_failures_total",
    "Failures of work beside the serving of calls",
    ["worker"],
)


def expose(listen: str) -> None:
    """Serves the metrics at `host:port`; does nothing when `listen` is empty.

    Raises CannotListenError.
    """
    if not listen:
        return
    host, port = ports.split(listen)
    try:
        ports.retry_while_taken(lambda: start_http_server(port, addr=host))
    except OSError as error:
        raise CannotListenError(listen, ports.reason(error, port)) from error
