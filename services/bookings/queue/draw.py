"""The draw of places: random, and checkable by everybody once the seed is public."""

import hashlib
from collections.abc import Sequence


def draw(seed: bytes, size: int) -> Sequence[int]:
    """Returns the numbers of those who joined, 1 to `size`, in the order of their places."""
    return sorted(range(1, size + 1), key=lambda number: _lot(seed, number))


def _lot(seed: bytes, number: int) -> bytes:
    return hashlib.sha256(seed + number.to_bytes(8)).digest()
