"""Who vouches for credentials here: the database itself, which other services ask by gRPC."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.accounts.credentials import messages
from services.accounts.credentials.api_keys import ApiKeys
from services.accounts.credentials.revocations import MOST_REVOCATIONS, Revocations
from services.accounts.credentials.signing_keys import SigningKeys
from services.kit.auth.issuer import Trusted
from services.kit.rpc.callers import Caller, Role


class OwnIssuer:
    """The issuer of the service that issues; see issuing.Issuer."""

    def __init__(
        self, signing_keys: SigningKeys, api_keys: ApiKeys, revocations: Revocations
    ) -> None:
        self._signing_keys = signing_keys
        self._api_keys = api_keys
        self._revocations = revocations

    async def trusted(self) -> Trusted:
        """See Issuer."""
        generations = await self._generations()
        published = await self._signing_keys.list_published()
        keys = {k.kid: Ed25519PublicKey.from_public_bytes(k.public_key) for k in published}
        return Trusted(keys, generations)

    async def resolve(self, api_key: str) -> Caller:
        """See Issuer."""
        holder = await self._api_keys.resolve(api_key)
        scopes = messages.scopes(holder.scopes)
        return Caller(holder.account_id, Role(holder.role), frozenset(scopes))

    async def _generations(self) -> dict[str, int]:
        found: dict[str, int] = {}
        after = ""
        while True:
            page = await self._revocations.list(after, MOST_REVOCATIONS)
            for revoked in page:
                after, found[revoked.account_id] = revoked.account_id, revoked.generation
            if len(page) < MOST_REVOCATIONS:
                return found
