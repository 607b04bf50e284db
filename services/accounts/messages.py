"""Between protobuf messages and what accounts reckons with."""

import base64

from boxoffice.accounts.v1 import identity_pb2
from boxoffice.rest.v1 import rest_pb2
from services.accounts.api_keys import Holder
from services.accounts.revocations import Revocation
from services.accounts.signing_keys import PublicKey


def signing_key(key: PublicKey) -> identity_pb2.SigningKey:
    """Writes a key as JWK."""
    x = base64.urlsafe_b64encode(key.public_key).rstrip(b"=").decode()
    return identity_pb2.SigningKey(
        kty="OKP", crv="Ed25519", x=x, kid=key.kid, alg="EdDSA", use="sig"
    )


def holder(found: Holder) -> identity_pb2.ResolveApiKeyResponse:
    """Writes whom an API key acts for."""
    return identity_pb2.ResolveApiKeyResponse(
        subject=found.account_id,
        role=identity_pb2.Role.Value(f"ROLE_{found.role}"),
        scopes=[rest_pb2.Scope.Value(f"SCOPE_{scope}") for scope in found.scopes],
    )


def revocation(found: Revocation) -> identity_pb2.Revocation:
    """Writes a revocation."""
    return identity_pb2.Revocation(subject=found.account_id, generation=found.generation)
