"""The gateway's check of credentials: it finds whom to limit, and rejects forged tokens.

The gateway faces the internet, so it holds no service key. Only the services can ask accounts what
was revoked and what an API key may do; they check every credential again.
"""

import hashlib

from services.kit.auth.issuer import IssuerState
from services.kit.auth.issuer_client import IssuerClient
from services.kit.rpc.callers import Caller


class PublicIssuer:
    """The issuer's public side; see Issuer."""

    def __init__(self, client: IssuerClient) -> None:
        self._client = client

    async def state(self) -> IssuerState:
        """Returns the published keys."""
        return IssuerState(await self._client.keys())

    async def resolve(self, api_key: str) -> Caller:
        """Accepts any well-formed API key, as a caller identified by its whole digest.

        The public part alone is no identity: anybody could use up the holder's quota with it.
        """
        return Caller(hashlib.sha256(api_key.encode()).hexdigest(), scopes=frozenset())
