"""Resolves API keys by asking the issuer."""

import re
import time
from dataclasses import replace

from services.kit.auth.issuer import Issuer
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken

PREFIX = "box_"
CACHED_SECONDS = 25.0
"""How long a key is good once resolved, so that a revoked one is refused within 30 s."""


def is_api_key(authorization: str) -> bool:
    """Returns whether a credential looks like an API key."""
    return authorization.partition(" ")[2].startswith(PREFIX)


class ApiKeys:
    """Resolves API keys; concurrent requests with the same key share one call."""

    def __init__(self, issuer: Issuer) -> None:
        self._resolve = SingleFlight(issuer.resolve)

    async def check(self, api_key: str) -> tuple[Caller, float]:
        """Returns the caller of a key, and until when to trust it (Unix).

        Raises InvalidToken, and Unavailable when the issuer does not answer.
        """
        form = _FORM.fullmatch(api_key)
        if form is None:
            raise InvalidToken
        asked_at = time.time()
        caller = await self._resolve(api_key)
        return replace(caller, api_key_id=form["id"]), asked_at + CACHED_SECONDS


_FORM = re.compile(rf"{PREFIX}(?P<id>[A-Za-z0-9]{{1,64}})_[\w-]{{1,128}}", re.ASCII)
