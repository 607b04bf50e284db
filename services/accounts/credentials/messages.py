"""Converts between the messages of IdentityService and ApiKeysService and credentials."""

import base64
from collections.abc import Iterable

from boxoffice.accounts.v1 import api_keys_pb2, identity_pb2
from boxoffice.rest.v1 import rest_pb2
from services.accounts.credentials.api_keys import ApiKey, ApiKeySpec, CreatedApiKey, ResolvedApiKey
from services.accounts.credentials.revocations import Revocation
from services.accounts.credentials.signing_keys import PublicKey
from services.kit.rpc.timestamps import moment, timestamp


def signing_key(key: PublicKey) -> identity_pb2.SigningKey:
    """Writes a key as JWK."""
    x = base64.urlsafe_b64encode(key.public_key).rstrip(b"=").decode()
    return identity_pb2.SigningKey(
        kty="OKP", crv="Ed25519", x=x, kid=key.kid, alg="EdDSA", use="sig"
    )


def resolved_api_key(found: ResolvedApiKey) -> identity_pb2.ResolveApiKeyResponse:
    """Writes the account that an API key acts for."""
    return identity_pb2.ResolveApiKeyResponse(
        subject=found.account_id,
        role=identity_pb2.Role.Value(f"ROLE_{found.role}"),
        scopes=scopes(found.scopes),
    )


def revocation(found: Revocation) -> identity_pb2.Revocation:
    """Writes a revocation."""
    return identity_pb2.Revocation(subject=found.account_id, generation=found.generation)


def api_key_spec(request: api_keys_pb2.CreateApiKeyRequest) -> ApiKeySpec:
    """Reads the API key to create."""
    scopes = [rest_pb2.Scope.Name(scope).removeprefix("SCOPE_") for scope in request.scopes]
    return ApiKeySpec(request.name, scopes, moment(request, "expires_at"))


def api_key(found: ApiKey) -> api_keys_pb2.ApiKey:
    """Writes an API key without its secret."""
    return api_keys_pb2.ApiKey(
        id=found.id,
        name=found.name,
        scopes=scopes(found.scopes),
        created_at=timestamp(found.created_at),
        expires_at=timestamp(found.expires_at),
        last_used_at=timestamp(found.last_used_at),
    )


def created_api_key(created: CreatedApiKey) -> api_keys_pb2.ApiKey:
    """Writes an API key with its secret, which is shown only once."""
    written = api_key(created.api_key)
    written.secret = created.secret
    return written


def scopes(names: Iterable[str]) -> list[rest_pb2.Scope.ValueType]:
    """Writes the scopes of an API key."""
    return [rest_pb2.Scope.Value(f"SCOPE_{name}") for name in names]
