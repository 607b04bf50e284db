"""Converts between the messages of AccountsService and people."""

from collections.abc import Mapping
from typing import Any

from boxoffice.accounts.v1 import accounts_pb2, identity_pb2
from services.accounts.credentials.sessions import Session
from services.accounts.credentials.tokens import AccessToken
from services.accounts.people.registrations import Registration
from services.accounts.users import addresses
from services.accounts.users.users import PersonalData, User
from services.kit.rpc import masks


def registration(request: accounts_pb2.RegisterWithCodeRequest) -> Registration:
    """Reads a registration with a code."""
    country = request.country if request.HasField("country") else None
    personal_data = PersonalData(
        firstname=request.firstname, lastname=request.lastname, country=country
    )
    is_organizer = request.role == identity_pb2.ROLE_ORGANIZER
    role = "ORGANIZER" if is_organizer else "USER"
    return Registration(personal_data, addresses.parse(request.email), request.password, role)


def registration_by_name(request: accounts_pb2.RegisterRequest) -> Registration:
    """Reads a registration without a code, which has a single name."""
    return Registration(
        PersonalData(name=request.name), addresses.parse(request.email), request.password
    )


def session(begun: Session, issued: AccessToken) -> accounts_pb2.Session:
    """Writes a session with its tokens."""
    return accounts_pb2.Session(
        access_token=issued.token,
        token_type="Bearer",  # noqa: S106 - no secret
        expires_in=issued.expires_in_seconds,
        refresh_token=str(begun.refresh_token),
        user=accounts_pb2.User(**_shown(begun.user)),
    )


def profile(found: User) -> accounts_pb2.Profile:
    """Writes an account for its owner."""
    return accounts_pb2.Profile(country=found.country, **_shown(found))


def profile_fields(request: accounts_pb2.UpdateMeRequest) -> Mapping[str, str | bool | None]:
    """Reads the fields to update: those of the mask, or without a mask those that are set.

    A field of the mask that is not set is None. Raises ValidationFailed.
    """
    given = {field.name: value for field, value in request.profile.ListFields()}
    if request.HasField("update_mask"):
        named = masks.fields(request.update_mask.paths, request.profile)
        given = {name: given.get(name) for name in named}
    if given.get("role") is not None:
        given["role"] = identity_pb2.Role.Name(given["role"]).removeprefix("ROLE_")
    if "email_verified" in given:
        given["email_verified"] = request.profile.email_verified
    return given


def _shown(found: User) -> dict[str, Any]:
    """Returns the fields that a session and a profile have in common."""
    return {
        "id": found.id,
        "name": found.display_name,
        "firstname": found.firstname or None,
        "lastname": found.lastname or None,
        "email": found.email,
        "role": _role(found),
        "email_verified": found.email_verified,
    }


def _role(found: User) -> identity_pb2.Role.ValueType:
    return identity_pb2.Role.Value(f"ROLE_{found.role}")
