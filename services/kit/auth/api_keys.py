"""API keys: whose one is, asked of the issuer."""

import asyncio
import re
import time

from services.kit.auth.issuer import Issuer
from services.kit.rpc import context
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken

PREFIX = "box_"
CACHED_SECONDS = 25.0
"""How long an answer stands: a key that was revoked is refused within 30 s."""


def is_api_key(authorization: str) -> bool:
    """Tells whether a credential is meant to be an API key, by its look."""
    return authorization.partition(" ")[2].startswith(PREFIX)


class ApiKeys:
    """Resolves API keys, each once for all who show it at the same time."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._flights: dict[str, asyncio.Task[Caller]] = {}

    async def check(self, api_key: str) -> tuple[Caller, float]:
        """Tells whom a key stands for, and until when (Unix); raises InvalidToken, Unavailable."""
        if not _FORM.fullmatch(api_key):
            raise InvalidToken
        asked_at = time.time()
        caller = await asyncio.shield(self._flight(api_key))
        return caller, asked_at + CACHED_SECONDS

    def _flight(self, api_key: str) -> asyncio.Task[Caller]:
        if api_key not in self._flights:
            flight = asyncio.create_task(self._resolve(api_key))
            self._flights[api_key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(api_key))
        return self._flights[api_key]

    async def _resolve(self, api_key: str) -> Caller:
        context.set_deadline(None)
        return await self._issuer.resolve(api_key)


_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9]{{1,64}}_[\w-]{{1,128}}", re.ASCII)
