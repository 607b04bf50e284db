import pytest
from prometheus_client import CollectorRegistry

from services.kit.process.metrics import Durations


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5, 2.0, 100.0])
def test_observations_alike_are_counted_as_one_by_one(seconds: float) -> None:
    """A batch must not look faster or slower in the figures than the calls it stands for."""
    single, together = (
        Durations("seconds", "", buckets=(1, 2), registry=CollectorRegistry()) for _ in range(2)
    )
    for _ in range(3):
        single.observe(seconds)
    together.observe_alike(seconds, 3)
    assert figures(together) == figures(single)


def figures(histogram: Durations) -> list[tuple[str, dict[str, str], float]]:
    """Lists what Prometheus is told."""
    [metric] = histogram.collect()
    return [
        (sample.name, sample.labels, sample.value)
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]
