"""The sizes of batches, from the gateway's own metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

METRIC = "boxoffice_batch_items"


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a queue: cumulative counts by maximum size, and the number of items."""

    by_size: Mapping[str, float]
    items: float

    @property
    def count(self) -> float:
        """The number of batches."""
        return self.by_size.get("+Inf", 0)

    def since(self, before: "Batches") -> "Batches":
        """Returns the batches after an earlier reading."""
        sizes = {s: n - before.by_size.get(s, 0) for s, n in self.by_size.items()}
        return Batches(sizes, self.items - before.items)

    def __str__(self) -> str:
        shares = (f"{size}: {100 * share:.0f} %" for size, share in self._shares() if share > 0.005)
        return f"{self.items / self.count:.0f} a batch; of at most {', '.join(shares)}"

    def _shares(self) -> Iterator[tuple[str, float]]:
        """Returns the share of each size; the counts of Prometheus are cumulative."""
        smaller = 0.0
        for size, number in self.by_size.items():
            yield size.removesuffix(".0"), (number - smaller) / self.count
            smaller = number


NONE = Batches({}, 0)


def read(metrics: str) -> dict[str, Batches]:
    """Reads the batches of every queue from the text of `/metrics`."""
    sizes: dict[str, dict[str, float]] = {}
    items: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples if family.name == METRIC else ():
            lane = sample.labels["lane"]
            if sample.name.endswith("_bucket"):
                sizes.setdefault(lane, {})[sample.labels["le"]] = sample.value
            elif sample.name.endswith("_sum"):
                items[lane] = sample.value
    return {lane: Batches(sizes[lane], items[lane]) for lane in sizes}


def between(before: str, after: str) -> Sequence[tuple[str, Batches]]:
    """Returns the batches that were sent between two readings, by queue."""
    earlier = read(before)
    later = {lane: found.since(earlier.get(lane, NONE)) for lane, found in read(after).items()}
    return [(lane, found) for lane, found in later.items() if found.count]
