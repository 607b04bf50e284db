"""Access tokens: signed statements of a caller's identity, valid for 15 minutes (RFC 9068)."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.accounts.credentials.signing_keys import SigningKeys
from services.kit.auth.tokens import ALGORITHM, AUDIENCE, ISSUER, LIFETIME_SECONDS, TYPE


class Subject(Protocol):
    """The account that a token is about."""

    @property
    def id(self) -> str:
        """`acct_…`."""

    @property
    def role(self) -> str:
        """USER, ORGANIZER or ADMIN."""

    @property
    def generation(self) -> int:
        """Generation of the account's tokens when it was read."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token, and how long it is valid."""

    token: str = field(repr=False)
    expires_in_seconds: int


class Tokens:
    """Issues access tokens."""

    def __init__(self, signing_keys: SigningKeys) -> None:
        self._signing_keys = signing_keys

    async def issue(self, account: Subject) -> AccessToken:
        """Signs a token. If the account was revoked since it was read, the token is invalid.

        Takes a connection of its own, so call it after the transaction. Raises NoSigningKeyError.
        """
        key = await self._signing_keys.current()
        issued_at = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account.id,
            "role": account.role,
            "ver": account.generation,
            "iat": issued_at,
            "exp": issued_at + LIFETIME_SECONDS,
            "jti": uuid.uuid4().hex,
        }
        private = Ed25519PrivateKey.from_private_bytes(key.private_key)
        headers = {"typ": TYPE, "kid": key.kid}
        token = jwt.encode(claims, private, algorithm=ALGORITHM, headers=headers)
        return AccessToken(token, LIFETIME_SECONDS)
