"""Passwords as Argon2id hashes. Hashing is slow on purpose, so it is limited and in threads."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.kit.rpc.errors import Unavailable, ValidationFailed, Violation

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

THREADS = 2
MOST_WAITING = 32
"""Passwords that may wait for a thread; at about 25 ms each none waits for half a second."""

RECOMMENDED = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""The minimum that OWASP recommends."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password matches; `rehashed` if the stored hash has other parameters."""

    matches: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and checks passwords in its own threads, which end with its `async with` block.

    New passwords must not be among `refused`, which are in lower case.
    """

    def __init__(
        self,
        hasher: PasswordHasher = RECOMMENDED,
        *,
        refused: Set[str] = frozenset(),
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._hasher = hasher
        self._refused = refused
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._most = THREADS + most_waiting
        self._waiting = 0
        # Compared for unknown users, so that they take as long as known ones.
        self._dummy = hasher.hash(secrets.token_bytes(32))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def expect_uncommon(self, password: str, path: str = "password") -> None:
        """Raises ValidationFailed for the field `path` if a password is refused."""
        if password.casefold() in self._refused:
            raise ValidationFailed(violations=[Violation(path, "is a very common password")])

    async def hash(self, password: str) -> str:
        """Hashes a password; raises Unavailable if too many wait already."""
        return await self._run(self._hasher.hash, _prepared(password))

    async def check(self, password: str, known: str | None) -> PasswordCheck:
        """Compares a password with a hash, or with none in the same time; raises Unavailable."""
        return await self._run(self._check, _prepared(password), known)

    def _check(self, password: bytes, known: str | None) -> PasswordCheck:
        try:
            self._hasher.verify(known or self._dummy, password)
        except VerificationError:
            return PasswordCheck(matches=False)
        if known is None:
            return PasswordCheck(matches=False)
        is_old = self._hasher.check_needs_rehash(known)
        return PasswordCheck(matches=True, rehashed=self._hasher.hash(password) if is_old else None)

    async def _run(self, work: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        if self._waiting >= self._most:
            raise Unavailable
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        finally:
            self._waiting -= 1


def _prepared(password: str) -> bytes:
    """Normalizes a password, so that all keyboards give the same bytes (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode()
