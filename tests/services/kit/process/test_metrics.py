import pytest
from prometheus_client import CollectorRegistry

from services.kit.process.metrics import Durations


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5, 2.0, 100.0])
def test_equal_observations_count_as_single_ones(seconds: float) -> None:
    """The metrics of a batch could differ from those of the same calls made alone."""
    single, together = (
        Durations("seconds", "", buckets=(1, 2), registry=CollectorRegistry()) for _ in range(2)
    )
    for _ in range(3):
        single.observe(seconds)
    together.observe_many(seconds, 3)
    assert figures(together) == figures(single)


def figures(histogram: Durations) -> list[tuple[str, dict[str, str], float]]:
    """Returns the samples that Prometheus reads."""
    [metric] = histogram.collect()
    return [
        (sample.name, sample.labels, sample.value)
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]
