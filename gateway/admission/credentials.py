"""What the gateway knows of credentials: enough to tell whom to limit, and what is none of ours.

It has no key of services, being next to the internet: what was revoked, and what an API key may do,
only the services can ask. They look at every credential themselves.
"""

import hashlib

from services.kit.auth.issuer import IssuerState
from services.kit.auth.issuer_client import IssuerClient
from services.kit.rpc.callers import Caller


class PublicIssuer:
    """The issuer as the public knows it; see Issuer."""

    def __init__(self, client: IssuerClient) -> None:
        self._client = client

    async def state(self) -> IssuerState:
        """Gives the published keys."""
        return IssuerState(await self._client.keys())

    async def resolve(self, api_key: str) -> Caller:
        """Takes a key that is in form for one.

        It is told from others by all of it: with its public part alone, anybody could use up what
        its holder may ask.
        """
        return Caller(hashlib.sha256(api_key.encode()).hexdigest(), scopes=frozenset())
