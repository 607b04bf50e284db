"""Converts between the messages of AccountsService and people."""

from collections.abc import Mapping
from typing import Any

from boxoffice.accounts.v1 import accounts_pb2, identity_pb2
from services.accounts.credentials.sessions import LogIn
from services.accounts.credentials.tokens import AccessToken
from services.accounts.people.registrations import Form
from services.accounts.users import addresses
from services.accounts.users.users import Person, User
from services.kit.rpc import masks


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
