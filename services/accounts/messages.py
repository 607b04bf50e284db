"""Between protobuf messages and what accounts reckons with."""

import base64
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from boxoffice.accounts.v1 import accounts_pb2, api_keys_pb2, identity_pb2, notices_pb2
from boxoffice.rest.v1 import rest_pb2
from services.accounts.credentials.api_keys import ApiKey, Holder, NewApiKey, Wish
from services.accounts.credentials.revocations import Revocation
from services.accounts.credentials.sessions import LogIn
from services.accounts.credentials.signing_keys import PublicKey
from services.accounts.credentials.tokens import AccessToken
from services.accounts.outbox.notices import Notice
from services.accounts.people.registrations import Form
from services.accounts.users import addresses
from services.accounts.users.users import Person, User
from services.kit.rpc import masks
from services.kit.rpc.timestamps import timestamp


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


def wish(request: api_keys_pb2.CreateApiKeyRequest) -> Wish:
    """Reads what an API key shall be."""
    scopes = [rest_pb2.Scope.Name(scope).removeprefix("SCOPE_") for scope in request.scopes]
    has_end = request.HasField("expires_at")
    expires_at = request.expires_at.ToDatetime(tzinfo=UTC) if has_end else None
    return Wish(request.name, scopes, expires_at)


def api_key(found: ApiKey) -> api_keys_pb2.ApiKey:
    """Writes an API key without its secret."""
    return api_keys_pb2.ApiKey(
        id=found.id,
        name=found.name,
        scopes=[rest_pb2.Scope.Value(f"SCOPE_{scope}") for scope in found.scopes],
        created_at=timestamp(found.created_at),
        expires_at=timestamp(found.expires_at),
        last_used_at=timestamp(found.last_used_at),
    )


def new_api_key(made: NewApiKey) -> api_keys_pb2.ApiKey:
    """Writes an API key with its secret, once and never again."""
    written = api_key(made.api_key)
    written.secret = made.secret
    return written


def notice(sent: notices_pb2.Notice) -> Notice:
    """Reads what somebody is to be told."""
    expiry = sent.offer_expires_at if sent.HasField("offer_expires_at") else None
    return Notice(
        id=sent.id,
        account_id=sent.account_id,
        kind=notices_pb2.NoticeKind.Name(sent.kind).removeprefix("NOTICE_KIND_"),
        event_name=sent.event_name,
        starts_at=sent.starts_at.ToDatetime(UTC) if sent.HasField("starts_at") else None,
        seat_count=sent.seat_count,
        reference=sent.reference,
        offer_expires_at=expiry.ToDatetime(UTC) if expiry else None,
    )


def form(request: accounts_pb2.RegisterWithCodeRequest) -> Form:
    """Reads what somebody registers with."""
    country = request.country if request.HasField("country") else None
    person = Person(firstname=request.firstname, lastname=request.lastname, country=country)
    is_organizer = request.role == identity_pb2.ROLE_ORGANIZER
    role = "ORGANIZER" if is_organizer else "USER"
    return Form(person, addresses.read(request.email), request.password, role)


def short_form(request: accounts_pb2.RegisterRequest) -> Form:
    """Reads what somebody registers with who gives but one name."""
    return Form(Person(name=request.name), addresses.read(request.email), request.password)


def session(log_in: LogIn, issued: AccessToken) -> accounts_pb2.Session:
    """Writes a log-in with its tokens."""
    return accounts_pb2.Session(
        access_token=issued.token,
        token_type="Bearer",  # noqa: S106 - no secret
        expires_in=issued.expires_in_seconds,
        refresh_token=str(log_in.refresh_token),
        user=accounts_pb2.User(**_person(log_in.user)),
    )


def profile(found: User) -> accounts_pb2.Profile:
    """Writes an account as its owner sees it."""
    return accounts_pb2.Profile(country=found.country, **_person(found))


def profile_fields(request: accounts_pb2.UpdateMeRequest) -> Mapping[str, str | bool | None]:
    """Reads the fields that a user changes, without a mask those that are filled in.

    One that is named and not filled in is None. Raises ValidationFailed.
    """
    given = {field.name: value for field, value in request.profile.ListFields()}
    if request.HasField("update_mask"):
        named = masks.named(request.update_mask.paths, request.profile)
        given = {name: given.get(name) for name in named}
    if given.get("role") is not None:
        given["role"] = identity_pb2.Role.Name(given["role"]).removeprefix("ROLE_")
    if "email_verified" in given:
        given["email_verified"] = request.profile.email_verified
    return given


def _person(found: User) -> dict[str, Any]:
    """Gives what a session and a profile both show."""
    return {
        "id": found.id,
        "name": found.called,
        "firstname": found.firstname or None,
        "lastname": found.lastname or None,
        "email": found.email,
        "role": _role(found),
        "email_verified": found.email_verified,
    }


def _role(found: User) -> identity_pb2.Role.ValueType:
    return identity_pb2.Role.Value(f"ROLE_{found.role}")
