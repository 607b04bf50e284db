"""Ids and references for bookings to be made, drawn before anything is decided."""

import os
from collections.abc import Iterable
from uuid import UUID

# Bytes of a random UUID that say what it is (RFC 9562).
_VERSION = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))


class Identities:
    """A supply of ids, each with a random reference. Deciding takes from it and draws nothing."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._left: list[tuple[int, UUID]] = []
        self.add(numbers)

    def add(self, numbers: Iterable[int]) -> None:
        """Adds ids that were drawn from the sequence; they are taken in their order."""
        drawn = list(numbers)
        fresh = list(zip(drawn, _random_uuids(len(drawn)), strict=True))
        self._left = fresh[::-1] + self._left

    def take(self) -> tuple[int, UUID]:
        """Returns the next id and its reference; raises IndexError when none is left."""
        return self._left.pop()


def _random_uuids(count: int) -> list[UUID]:
    """Draws UUIDs of version 4 at once: one at a time they are a good part of what a seat costs."""
    drawn = bytearray(os.urandom(16 * count))
    drawn[6::16] = drawn[6::16].translate(_VERSION)
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    return [UUID(bytes=bytes(drawn[start : start + 16])) for start in range(0, len(drawn), 16)]
