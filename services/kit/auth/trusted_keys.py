"""The keys and revocations that tokens are checked by, kept in memory and kept fresh."""

import asyncio

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.auth import tokens
from services.kit.auth.credential_cache import Known
from services.kit.auth.issuer import Issuer, Trusted
from services.kit.concurrency.outage import Silence
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.database.postgres import refusal_of
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken, Refusal, Unavailable

REFRESH_SECONDS = 10.0
PAUSE_SECONDS = 2.0
"""Least time between two questions that tokens with unknown keys make us ask."""
RETRY_SECONDS = 0.25
"""The same while the issuer is silent, as it is when everything starts at once."""
WAIT_SECONDS = 0.3
"""How long a token waits for an answer; others wait in the same batch."""


class Trust:
    """Checks tokens. Uses the issuer for what it trusts, and tells `known` what to forget.

    While the issuer is silent, what was learned before goes on: tokens of known keys are good, and
    those of unknown ones cannot be told from good ones.
    """

    def __init__(self, issuer: Issuer, known: Known) -> None:
        self._issuer = issuer
        self._known = known
        self._trusted = Trusted()
        self._asking = SingleFlight(self._ask)
        self._asked_at = -PAUSE_SECONDS
        self._silence = Silence("issuer silent")

    async def refresh(self) -> bool:
        """Asks the issuer what is good now, until it answers; nothing is left to do at once."""
        await self._asking(None)
        while self._silence:
            await asyncio.sleep(RETRY_SECONDS)
            await self._asking(None)
        return False

    async def check(self, token: str) -> tuple[Caller, float]:
        """Tells whom a token stands for, and until when (Unix).

        Raises InvalidToken, or Unavailable where its key is not known and the issuer silent.
        """
        claims = tokens.verify(token, await self._key(tokens.key_id(token)))
        if claims.generation < self._trusted.generations.get(claims.subject, 0):
            raise InvalidToken
        caller = Caller(claims.subject, claims.role, generation=claims.generation)
        return caller, claims.expires_at

    async def _key(self, key_id: str) -> Ed25519PublicKey:
        if key_id not in self._trusted.keys and self._may_ask:
            await asyncio.wait({self._asking.task(None)}, timeout=WAIT_SECONDS)
        if key := self._trusted.keys.get(key_id):
            return key
        raise Unavailable if self._silence or None in self._asking else InvalidToken

    @property
    def _may_ask(self) -> bool:
        """Whether a question is on its way already, or the last one long enough ago."""
        pause = RETRY_SECONDS if self._silence else PAUSE_SECONDS
        now = asyncio.get_running_loop().time()
        return None in self._asking or now >= self._asked_at + pause

    async def _ask(self, _: None) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        try:
            self._adopt(await self._issuer.trusted())
            self._silence.end()
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else refusal_of(error, is_read=True)
            if refusal is None:
                raise
            self._silence.go_on(refusal.reason)

    def _adopt(self, trusted: Trusted) -> None:
        """Trusts anew, and forgets whoever was found good by what is not so any more."""
        before, self._trusted = self._trusted, trusted
        if before.keys.keys() - trusted.keys.keys():
            self._known.clear()
        self._known.forget(
            {
                subject
                for subject, generation in trusted.generations.items()
                if generation > before.generations.get(subject, 0)
            }
        )
