"""Prices of the seats of an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of seats in minor units of one currency; None for an event that is free of charge.

    Types of seats without a price of their own cost `each`.
    """

    each: int | None = None
    currency: str | None = None
    of_type: Mapping[str, int] = field(default_factory=dict, hash=False)

    def of(self, seat_type: str) -> tuple[int, str] | None:
        """Returns the price of a seat of a type, with its currency."""
        if self.each is None or self.currency is None:
            return None
        return self.of_type.get(seat_type, self.each), self.currency
