"""The interface to the issuer of credentials, which `__main__` implements."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken


@dataclass(frozen=True, slots=True)
class IssuerState:
    """The state that verifies tokens: public keys by key id, and revocations.

    `generations` has subjects whose tokens of a lower generation are revoked.
    """

    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    generations: Mapping[str, int] = field(default_factory=dict)


class Issuer(Protocol):
    """Provides the public keys, the revocations and the API keys."""

    async def state(self) -> IssuerState:
        """Returns the current keys and revocations. Raises Refusal if it cannot."""

    async def resolve(self, api_key: str) -> Caller:
        """Returns the caller of an API key. Raises InvalidToken, or another Refusal."""


class NoIssuer:
    """Stands for a missing issuer: no token and no API key is valid."""

    async def state(self) -> IssuerState:
        """See Issuer."""
        return IssuerState()

    async def resolve(self, api_key: str) -> Caller:
        """See Issuer."""
        raise InvalidToken


NO_ISSUER = NoIssuer()
