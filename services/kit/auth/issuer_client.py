"""The client of accounts as the issuer of credentials."""

import base64
import binascii
from collections.abc import Iterable, Mapping

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from boxoffice.accounts.v1 import identity_pb2, identity_pb2_grpc
from services.kit.auth.issuer import IssuerState
from services.kit.rpc.callers import SERVICE_SCHEME, Caller, Role
from services.kit.rpc.channel import call
from services.kit.rpc.errors import InvalidToken, Refusal, Unavailable

IDENTITY = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"].full_name
KEYS_SECONDS = 1.0
REVOCATIONS_SECONDS = 2.0
API_KEY_SECONDS = 1.0
REVOCATIONS_AT_ONCE = 10_000
DEVELOPMENT = "dev-"
"""Prefix of the ids of keys that were generated for development."""

log = structlog.get_logger()


class IssuerClient:
    """Implements Issuer with calls to accounts.

    `service_key` is the secret that the services share. In `production` keys that were generated
    for development are not trusted, as anybody may have them.
    """

    def __init__(self, channel: grpc.aio.Channel, service_key: str, *, environment: str) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key
        self._is_production = environment == "production"

    async def state(self) -> IssuerState:
        """See Issuer."""
        # First, so that no token is accepted before the revocations are known.
        generations = await self._generations()
        return IssuerState(await self.keys(), generations)

    async def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """Gets the published keys, which needs no service key; raises Refusal."""
        response = await call(
            self._stub.GetSigningKeys,
            identity_pb2.GetSigningKeysRequest(),
            timeout_seconds=KEYS_SECONDS,
        )
        return dict(_parsed(key for key in response.keys if self._is_trusted(key)))

    async def resolve(self, api_key: str) -> Caller:
        """See Issuer."""
        try:
            response = await call(
                self._stub.ResolveApiKey,
                identity_pb2.ResolveApiKeyRequest(api_key=api_key),
                timeout_seconds=API_KEY_SECONDS,
                authorization=self._authorization,
            )
        except Refusal as refusal:
            if refusal.reason == InvalidToken.reason:
                raise InvalidToken from refusal
            # Nothing was done for the caller yet, whatever failed.
            raise Unavailable from refusal
        role = identity_pb2.Role.Name(response.role).removeprefix("ROLE_")
        return Caller(response.subject, Role(role), frozenset(response.scopes))

    async def _generations(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        after = ""
        while True:
            response = await call(
                self._stub.ListRevocations,
                identity_pb2.ListRevocationsRequest(after_subject=after, limit=REVOCATIONS_AT_ONCE),
                timeout_seconds=REVOCATIONS_SECONDS,
                authorization=self._authorization,
            )
            found |= {each.subject: each.generation for each in response.revocations}
            if len(response.revocations) < REVOCATIONS_AT_ONCE:
                return found
            after = response.revocations[-1].subject

    def _is_trusted(self, key: identity_pb2.SigningKey) -> bool:
        if self._is_production and key.kid.startswith(DEVELOPMENT):
            log.error("a signing key for development is published", kid=key.kid)
            return False
        return (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")


def _parsed(
    keys: Iterable[identity_pb2.SigningKey],
) -> Iterable[tuple[str, Ed25519PublicKey]]:
    for key in keys:
        try:
            raw = base64.urlsafe_b64decode(key.x + "=")
            yield key.kid, Ed25519PublicKey.from_public_bytes(raw)
        except (binascii.Error, ValueError):
            log.warning("a signing key cannot be read", kid=key.kid)
