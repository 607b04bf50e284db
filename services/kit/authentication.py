"""Who is calling, and whether an RPC admits them at all.

What a caller may do with which row is decided by each service's domain code.
"""

import hmac
from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from boxoffice.rest.v1 import rest_pb2
from services.kit.errors import InvalidToken, PermissionDenied, Unauthenticated

SERVICE_SCHEME = "Service "


class Role(StrEnum):
    """What an account is to Boxoffice."""

    USER = "USER"
    ORGANIZER = "ORGANIZER"
    ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an account (`subject`), another service of Boxoffice, or nobody in particular.

    `scopes` limit an API key; None for whoever is there in person.
    """

    subject: str | None = None
    role: Role | None = None
    scopes: Set[rest_pb2.Scope.ValueType] | None = None
    is_service: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether everything is theirs to see and to change. No API key is an admin."""
        return self.is_service or (self.role is Role.ADMIN and self.scopes is None)

    @property
    def acts_for_anyone(self) -> bool:
        """Whether they may book, cancel and read in the name of any user."""
        return self.is_admin or rest_pb2.SCOPE_BOOKINGS_ANY_USER in (self.scopes or ())


ANONYMOUS = Caller()
SERVICE = Caller(is_service=True)


class Authenticator:
    """Turns an `authorization` into a caller.

    `service_key` is the secret that the services share; empty admits no service. There is no
    issuer of tokens yet, so every bearer token is refused.
    """

    def __init__(self, *, open_access: bool, service_key: str) -> None:
        self._open_access = open_access
        self._service_key = service_key.encode()

    def authenticate(self, authorization: str | None) -> Caller:
        """Tells who calls; raises InvalidToken for a credential that is not ours."""
        if not authorization:
            return ANONYMOUS
        scheme, _, key = authorization.partition(" ")
        if scheme == SERVICE_SCHEME.strip() and self._is_service_key(key):
            return SERVICE
        raise InvalidToken

    def admit(self, caller: Caller, access: rest_pb2.Access.ValueType) -> None:
        """Raises Unauthenticated or PermissionDenied unless the RPC's access admits the caller."""
        if access == rest_pb2.ACCESS_SERVICE and not caller.is_service:
            raise PermissionDenied
        if access == rest_pb2.ACCESS_OPEN and caller == ANONYMOUS and not self._open_access:
            raise Unauthenticated

    def _is_service_key(self, key: str) -> bool:
        return bool(self._service_key) and hmac.compare_digest(key.encode(), self._service_key)
