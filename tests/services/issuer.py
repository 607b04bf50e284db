"""The issuer of tokens in tests: a key of its own, and scripted accounts."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from boxoffice.accounts.v1 import identity_pb2, identity_pb2_grpc
from boxoffice.rest.v1 import rest_pb2
from services.bookings.errors import UserNotFound
from services.kit.auth.issuer import IssuerState
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import InvalidToken, Refusal, abort

Metadata = tuple[tuple[str, str], ...]

KID = "2025-01-01-test"
_BASE32 = str.maketrans("0189", "wxyz")


def account(name: str) -> str:
    """Returns the id of the account with a name."""
    return f"acct_{name.encode().hex().translate(_BASE32):a<26.26}"


@dataclass
class ScriptedIssuer:
    """An issuer whose keys, revocations and API keys the test sets."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    kid: str = KID
    published: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    api_keys: dict[str, Caller] = field(default_factory=dict)
    refusal: Refusal | None = None
    asked: int = 0
    resolved: list[str] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    """Accounts by their addresses."""
    addresses_asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.published[self.kid] = self.key.public_key()

    async def state(self) -> IssuerState:
        """Returns what the test published; raises the scripted refusal, if there is one."""
        self.asked += 1
        if self.refusal:
            raise self.refusal
        return IssuerState(dict(self.published), dict(self.generations))

    async def resolve(self, api_key: str) -> Caller:
        """Returns the caller of an API key that the test added."""
        self.resolved.append(api_key)
        if self.refusal:
            raise self.refusal
        if api_key not in self.api_keys:
            raise InvalidToken
        return self.api_keys[api_key]

    def token(
        self,
        subject: str,
        role: str = Role.USER,
        *,
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Signs a valid token, changed by the headers and claims; None omits a claim."""
        said = claims_of(subject, role) | claims
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            self.key,
            algorithm="EdDSA",
            headers={"typ": "at+jwt", "kid": self.kid} | dict(headers or {}),
        )

    def bearer(self, subject: str, role: str = Role.USER) -> Metadata:
        """Returns the metadata of a call by an account."""
        return (("authorization", f"Bearer {self.token(subject, role)}"),)

    def add_key(
        self, subject: str, role: Role, *scopes: rest_pb2.Scope.ValueType, name: str = "1"
    ) -> str:
        """Adds an API key of an account; returns it."""
        api_key = f"box_{name}_{base64.b32encode(subject.encode()).decode().rstrip('=').lower()}"
        self.api_keys[api_key] = Caller(subject, role, frozenset(scopes))
        return api_key


def claims_of(subject: str, role: str) -> dict[str, Any]:
    """Returns the claims of a valid token."""
    now = int(time.time())
    return {
        "iss": "boxoffice",
        "aud": "boxoffice",
        "sub": subject,
        "role": role,
        "iat": now,
        "exp": now + 900,
        "jti": "one-of-a-kind",
        "ver": 1,
    }


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Serves a scripted issuer, as accounts does."""

    def __init__(self, issuer: ScriptedIssuer) -> None:
        self._issuer = issuer

    async def GetSigningKeys(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns the public keys."""
        return identity_pb2.GetSigningKeysResponse(
            keys=[jwk(kid, key) for kid, key in self._issuer.published.items()]
        )

    async def ListRevocations(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns a page of the revocations."""
        after = sorted(s for s in self._issuer.generations if s > request.after_subject)
        return identity_pb2.ListRevocationsResponse(
            revocations=[
                identity_pb2.Revocation(subject=s, generation=self._issuer.generations[s])
                for s in after[: request.limit]
            ]
        )

    async def ResolveApiKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns the account of an API key."""
        try:
            caller = await self._issuer.resolve(request.api_key)
        except Refusal as refusal:
            await abort(context, refusal)
            raise
        return identity_pb2.ResolveApiKeyResponse(
            subject=caller.subject or "",
            role=identity_pb2.Role.Value(f"ROLE_{caller.role}"),
            scopes=caller.scopes or (),
        )

    async def FindAccount(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns the account of an address."""
        self._issuer.addresses_asked.append(request.email)
        if request.email not in self._issuer.addresses:
            await abort(context, UserNotFound())
        account_id = self._issuer.addresses[request.email]
        return identity_pb2.FindAccountResponse(account_id=account_id)


def jwk(kid: str, key: Ed25519PublicKey) -> identity_pb2.SigningKey:
    """Returns a key as JWK."""
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return identity_pb2.SigningKey(kty="OKP", crv="Ed25519", x=x, kid=kid, alg="EdDSA", use="sig")


async def serve_identity(issuer: ScriptedIssuer) -> tuple[grpc.aio.Server, str]:
    """Serves the issuer; returns the server, which the caller stops, and its target."""
    server = grpc.aio.server()
    servicer: Any = IdentityServicer(issuer)  # type: ignore[abstract,unused-ignore]
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"
