"""Metrics of connection pools: how many connections are in use, and how long requests wait."""

import contextlib
from collections.abc import Iterator, Sequence

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.kit.database.postgres import Pool


@contextlib.contextmanager
def exposed(pools: Sequence[Pool], registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Exposes the metrics of pools while the block runs. Their names must differ."""
    collector = _Pools(pools)
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)


class _Pools(Collector):
    """Reads the statistics of pools whenever Prometheus asks."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools

    def describe(self) -> Iterator[Metric]:
        """Returns nothing: several services in one process, as in tests, share the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Returns the metrics of all pools."""
        by_statistic = _by_statistic()
        for pool in self._pools:
            stats = pool.get_stats()
            for statistic, family in by_statistic.items():
                scale = 1000 if statistic.endswith("_ms") else 1
                family.add_metric([pool.name], stats.get(statistic, 0) / scale)
        return iter(by_statistic.values())


def _by_statistic() -> dict[str, GaugeMetricFamily | CounterMetricFamily]:
    """Returns the metrics by the names of psycopg's statistics."""
    labels = ["pool"]
    return {
        "pool_size": GaugeMetricFamily(
            "boxoffice_pool_connections", "Connections to PostgreSQL", labels=labels
        ),
        "pool_available": GaugeMetricFamily(
            "boxoffice_pool_idle_connections", "Connections that no request uses", labels=labels
        ),
        "requests_waiting": GaugeMetricFamily(
            "boxoffice_pool_waiting", "Requests that wait for a connection", labels=labels
        ),
        "requests_wait_ms": CounterMetricFamily(
            "boxoffice_pool_wait_seconds", "Time that requests waited", labels=labels
        ),
        "requests_errors": CounterMetricFamily(
            "boxoffice_pool_errors", "Requests that got no connection in time", labels=labels
        ),
    }
