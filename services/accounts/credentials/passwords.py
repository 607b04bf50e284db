"""Passwords, as Argon2id hashes. Hashing is meant to be slow, so only so much is done at once."""

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
"""Passwords that may wait for a thread; at some 25 ms each nobody waits for half a second."""

RECOMMENDED = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""What OWASP recommends at least, and what one log-in may cost."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right; if its hash was made with other parameters, also a new one."""

    matches: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and checks passwords in threads of its own. Enter it, so that they end.

    New ones may not be `refused` ones, which are in lower case.
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
        # Checked in place of the hash that an unknown user lacks; nobody knows its password.
        self._dummy = hasher.hash(secrets.token_bytes(32))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def expect_uncommon(self, password: str, path: str = "password") -> None:
        """Raises ValidationFailed, which names the field, for a password that is refused."""
        if password.casefold() in self._refused:
            raise ValidationFailed(violations=[Violation(path, "is a very common password")])

    async def hash(self, password: str) -> str:
        """Hashes a password; raises Unavailable when too many wait already."""
        return await self._run(self._hasher.hash, _prepared(password))

    async def check(self, password: str, known: str | None) -> Verdict:
        """Compares a password with a hash, or as slowly with none; raises Unavailable."""
        return await self._run(self._check, _prepared(password), known)

    def _check(self, password: bytes, known: str | None) -> Verdict:
        try:
            self._hasher.verify(known or self._dummy, password)
        except VerificationError:
            return Verdict(matches=False)
        if known is None:
            return Verdict(matches=False)
        is_old = self._hasher.check_needs_rehash(known)
        return Verdict(matches=True, rehashed=self._hasher.hash(password) if is_old else None)

    async def _run(self, work: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        if self._waiting >= self._most:
            raise Unavailable
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        finally:
            self._waiting -= 1


def _prepared(password: str) -> bytes:
    """Spells a password alike on every keyboard (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password).encode()
