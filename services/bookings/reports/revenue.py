"""Revenue: sums of money in one currency, added up and divided without losing a cent."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Revenue:
    """What was paid back of payments, what is to be paid back, and what is left: minor units."""

    currency: str
    payments: int
    refunded: int
    refund_due: int
    net: int

    @property
    def gross(self) -> int:
        """What was received."""
        return self.refunded + self.refund_due + self.net

    def __add__(self, other: "Revenue") -> "Revenue":
        return Revenue(
            self.currency,
            self.payments + other.payments,
            self.refunded + other.refunded,
            self.refund_due + other.refund_due,
            self.net + other.net,
        )

    def divided(self, weights: Sequence[int]) -> list["Revenue"]:
        """Divides revenue in proportion to weights: parts that add up to it, none of them negative.

        Each part counts all payments.
        """
        parts = zip(
            divide(self.refunded, weights),
            divide(self.refund_due, weights),
            divide(self.net, weights),
            strict=True,
        )
        return [Revenue(self.currency, self.payments, *part) for part in parts]


def total(found: Iterable[tuple[Group, Revenue]]) -> Mapping[tuple[Group, str], Revenue]:
    """Adds up the revenue of each group and currency, in the order of these."""
    sums: dict[tuple[Group, str], Revenue] = {}
    for group, revenue in found:
        key = group, revenue.currency
        sums[key] = sums[key] + revenue if key in sums else revenue
    return dict(sorted(sums.items()))


def divide(amount: int, weights: Sequence[int]) -> list[int]:
    """Divides an amount in proportion to weights; equally if all are 0."""
    if not any(weights):
        weights = [1] * len(weights)
    up_to = accumulate(weights, initial=0)
    whole = sum(weights)
    return [after - before for before, after in pairwise(amount * each // whole for each in up_to)]
