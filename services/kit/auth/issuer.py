"""What whoever issues credentials is asked: the port that `__main__` fills."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import InvalidToken


@dataclass(frozen=True, slots=True)
class Trusted:
    """What makes a token good: the keys by their ids, and the generations of some subjects.

    A token of a lower generation than its subject has now was revoked.
    """

    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    generations: Mapping[str, int] = field(default_factory=dict)


class Issuer(Protocol):
    """Knows the keys, what was revoked, and whose an API key is."""

    async def trusted(self) -> Trusted:
        """Tells what makes a token good from now on. Raises Refusal when it cannot say."""

    async def resolve(self, api_key: str) -> Caller:
        """Tells who calls with an API key. Raises InvalidToken, or another Refusal."""


class Nobody:
    """The issuer where there is none: every token and key is made up."""

    async def trusted(self) -> Trusted:
        """See Issuer."""
        return Trusted()

    async def resolve(self, api_key: str) -> Caller:
        """See Issuer."""
        raise InvalidToken


NOBODY = Nobody()
