"""Caches the callers of verified credentials."""

import time
from collections import OrderedDict
from collections.abc import Collection

from services.kit.rpc.callers import Caller

SIZE = 20_000


class CredentialCache:
    """Keeps at most `size` valid credentials until they expire; evicts the least recently used.

    Invalid credentials are not kept, so nobody can evict others by sending invented ones.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._entries: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, credential: str) -> Caller | None:
        """Returns the caller of a credential; None if it must be verified."""
        entry = self._entries.get(credential)
        if entry is None:
            return None
        if time.time() >= entry[1]:
            del self._entries[credential]
            return None
        self._entries.move_to_end(credential)
        return entry[0]

    def add(self, credential: str, caller: Caller, *, until: float) -> None:
        """Caches a valid credential until a time (Unix)."""
        self._entries[credential] = (caller, until)
        self._entries.move_to_end(credential)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, subjects: Collection[str]) -> None:
        """Removes the credentials of some subjects, so that they are verified again."""
        for credential in [c for c, (who, _) in self._entries.items() if who.subject in subjects]:
            del self._entries[credential]

    def clear(self) -> None:
        """Removes all credentials."""
        self._entries.clear()
