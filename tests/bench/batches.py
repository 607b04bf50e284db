"""How many requests shared a batch, from the gateway's own metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

METRIC = "boxoffice_batch_items"


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of an RPC: how many there were by their size at most, and their items."""

    by_size: Mapping[str, float]
    items: float

    @property
    def count(self) -> float:
        """How many batches there were."""
        return self.by_size.get("+Inf", 0)

    def since(self, before: "Batches") -> "Batches":
        """Gives what came after an earlier reading."""
        sizes = {s: n - before.by_size.get(s, 0) for s, n in self.by_size.items()}
        return Batches(sizes, self.items - before.items)

    def __str__(self) -> str:
        shares = (f"{size}: {100 * share:.0f} %" for size, share in self._shares() if share > 0.005)
        return f"{self.items / self.count:.0f} a batch; of at most {', '.join(shares)}"

    def _shares(self) -> Iterator[tuple[str, float]]:
        """Gives the share of each size alone: Prometheus adds up the smaller ones."""
        smaller = 0.0
        for size, number in self.by_size.items():
            yield size.removesuffix(".0"), (number - smaller) / self.count
            smaller = number


NONE = Batches({}, 0)


def read(metrics: str) -> dict[str, Batches]:
    """Reads the batches of every RPC out of what `/metrics` says."""
    sizes: dict[str, dict[str, float]] = {}
    items: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples if family.name == METRIC else ():
            rpc = sample.labels["rpc"]
            if sample.name.endswith("_bucket"):
                sizes.setdefault(rpc, {})[sample.labels["le"]] = sample.value
            elif sample.name.endswith("_sum"):
                items[rpc] = sample.value
    return {rpc: Batches(sizes[rpc], items[rpc]) for rpc in sizes}


def between(before: str, after: str) -> Sequence[tuple[str, Batches]]:
    """Gives the batches that left between two readings, by RPC."""
    earlier = read(before)
    later = {rpc: found.since(earlier.get(rpc, NONE)) for rpc, found in read(after).items()}
    return [(rpc, found) for rpc, found in later.items() if found.count]
