"""Ids and references for new bookings and tickets, drawn before the decision."""

import os
from collections.abc import Iterable
from uuid import UUID

# Tables that set the version and variant bits of a random UUID (RFC 9562).
_VERSION = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))


class Identities:
    """A supply of ids, each with a random reference, so that decisions need no randomness.

    `tickets` is for how many tickets it has ids.
    """

    def __init__(self, numbers: Iterable[int] = (), tickets: int = 0) -> None:
        self._left: list[tuple[int, UUID]] = []
        self._tickets = _random_uuids(tickets)
        self.add(numbers)

    def add(self, numbers: Iterable[int]) -> None:
        """Adds ids drawn from the sequence; `take` returns them in this order."""
        drawn = list(numbers)
        fresh = list(zip(drawn, _random_uuids(len(drawn)), strict=True))
        self._left = fresh[::-1] + self._left

    def take(self) -> tuple[int, UUID]:
        """Returns the next id and its reference; raises IndexError when none is left."""
        return self._left.pop()

    def take_ticket(self) -> UUID:
        """Returns the random id of the next ticket; raises IndexError when none is left."""
        return self._tickets.pop()


def _random_uuids(count: int) -> list[UUID]:
    """Draws all UUIDs (version 4) at once, because one call of os.urandom for each is slow."""
    drawn = bytearray(os.urandom(16 * count))
    drawn[6::16] = drawn[6::16].translate(_VERSION)
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    return [UUID(bytes=bytes(drawn[start : start + 16])) for start in range(0, len(drawn), 16)]
