"""Verifies tokens with the issuer's keys and revocations, which it keeps up to date."""

import asyncio

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.auth import tokens
from services.kit.auth.credential_cache import CredentialCache
from services.kit.auth.issuer import Issuer, IssuerState
from services.kit.concurrency.outage import Outage
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.database.postgres import refusal_from_database
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken, Refusal, Unavailable

REFRESH_SECONDS = 10.0
PAUSE_SECONDS = 2.0
"""Shortest time between two questions to the issuer that unknown key ids cause."""
RETRY_SECONDS = 0.25
"""The same while the issuer does not answer, as when all processes start at once."""
WAIT_SECONDS = 0.3
"""How long a token waits for the issuer; the rest of its batch waits too."""

PREPARE_SECONDS = 1.0
"""How long a process that starts waits for the issuer."""


class TrustedKeys:
    """Verifies tokens with the state of the issuer; removes revoked ones from `cache`.

    While the issuer does not answer, its last state stays in use: tokens of known keys are
    accepted, and tokens of unknown keys are Unavailable, as they may be valid.
    """

    def __init__(self, issuer: Issuer, cache: CredentialCache) -> None:
        self._issuer = issuer
        self._cache = cache
        self._state = IssuerState()
        self._asking = SingleFlight(self._ask)
        self._asked_at = -PAUSE_SECONDS
        self._outage = Outage("issuer does not answer")

    async def prepare(self) -> None:
        """Gets the state of the issuer, if it answers soon: before tokens have to wait for it."""
        await asyncio.wait({self._asking.task(None)}, timeout=PREPARE_SECONDS)

    async def refresh(self) -> bool:
        """Gets the state of the issuer; retries until it answers. Returns False (see repeat)."""
        await self._asking(None)
        while self._outage:
            await asyncio.sleep(RETRY_SECONDS)
            await self._asking(None)
        return False

    async def check(self, token: str) -> tuple[Caller, float]:
        """Returns the caller of a token, and until when to trust it (Unix).

        Raises InvalidToken, and Unavailable if its key is unknown and the issuer does not answer.
        """
        claims = tokens.verify(token, await self._key(tokens.key_id(token)))
        if claims.generation < self._state.generations.get(claims.subject, 0):
            raise InvalidToken
        caller = Caller(claims.subject, claims.role, generation=claims.generation)
        return caller, claims.expires_at

    async def _key(self, key_id: str) -> Ed25519PublicKey:
        if key_id not in self._state.keys and self._may_ask:
            await asyncio.wait({self._asking.task(None)}, timeout=WAIT_SECONDS)
        if key := self._state.keys.get(key_id):
            return key
        raise Unavailable if self._outage or None in self._asking else InvalidToken

    @property
    def _may_ask(self) -> bool:
        """Returns whether a call to the issuer is running, or the last one is long enough ago."""
        pause = RETRY_SECONDS if self._outage else PAUSE_SECONDS
        now = asyncio.get_running_loop().time()
        return None in self._asking or now >= self._asked_at + pause

    async def _ask(self, _: None) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        try:
            self._adopt(await self._issuer.state())
            self._outage.record_answer()
        except Exception as error:
            refusal = (
                error if isinstance(error, Refusal) else refusal_from_database(error, is_read=True)
            )
            if refusal is None:
                raise
            self._outage.record_failure(refusal.reason)

    def _adopt(self, state: IssuerState) -> None:
        """Uses a new state, and removes credentials from the cache that it no longer accepts."""
        before, self._state = self._state, state
        if before.keys.keys() - state.keys.keys():
            self._cache.clear()
        self._cache.forget(
            {
                subject
                for subject, generation in state.generations.items()
                if generation > before.generations.get(subject, 0)
            }
        )
