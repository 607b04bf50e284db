"""The issuer inside accounts: reads the database that other services ask by gRPC."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.accounts.credentials import messages
from services.accounts.credentials.api_keys import ApiKeys
from services.accounts.credentials.revocations import MOST_REVOCATIONS, Revocations
from services.accounts.credentials.signing_keys import SigningKeys
from services.kit.auth.issuer import IssuerState
from services.kit.rpc.callers import Caller, Role


class LocalIssuer:
    """Answers Issuer from the database of accounts."""

    def __init__(
        self, signing_keys: SigningKeys, api_keys: ApiKeys, revocations: Revocations
    ) -> None:
        self._signing_keys = signing_keys
        self._api_keys = api_keys
        self._revocations = revocations

    async def state(self) -> IssuerState:
        """See Issuer."""
        generations = await self._generations()
        published = await self._signing_keys.list_published()
        keys = {k.kid: Ed25519PublicKey.from_public_bytes(k.public_key) for k in published}
        return IssuerState(keys, generations)

    async def resolve(self, api_key: str) -> Caller:
        """See Issuer."""
        resolved = await self._api_keys.resolve(api_key)
        scopes = frozenset(messages.scopes(resolved.scopes))
        return Caller(resolved.account_id, Role(resolved.role), scopes)

    async def _generations(self) -> dict[str, int]:
        found: dict[str, int] = {}
        after = ""
        while True:
            page = await self._revocations.list(after, MOST_REVOCATIONS)
            for revoked in page:
                after, found[revoked.account_id] = revoked.account_id, revoked.generation
            if len(page) < MOST_REVOCATIONS:
                return found
