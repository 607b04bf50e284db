"""Memory for large bodies: all of them together take no more than a fixed number of bytes."""


class BodyBudget:
    """Counts the bytes that large bodies may take; small ones are bounded by the connections."""

    def __init__(self, most: int) -> None:
        self._free = most

    def reserve(self, size: int) -> bool:
        """Reserves bytes for a body; returns False and reserves nothing if too few are free."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def release(self, size: int) -> None:
        """Frees bytes that were reserved."""
        self._free += size
