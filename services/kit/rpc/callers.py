"""Callers, and the rules by which RPCs admit them.

The domain code of each service decides what a caller may do with a row.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from google.protobuf.descriptor import MethodDescriptor

from boxoffice.rest.v1 import rest_pb2
from services.kit.rpc.errors import PermissionDenied, Refusal, Unauthenticated

SERVICE_SCHEME = "Service "

Scope: TypeAlias = rest_pb2.Scope.ValueType


class Role(StrEnum):
    """The role of an account."""

    USER = "USER"
    ORGANIZER = "ORGANIZER"
    ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True)
class Caller:
    """An account (`subject`), another service of Boxoffice, or an anonymous caller.

    `scopes` limit an API key, whose id is `api_key_id`; None for a user with a token. `generation`
    is that of the token: accounts compares it again before it creates anything that outlives it.
    """

    subject: str | None = None
    role: Role | None = None
    scopes: Set[Scope] | None = None
    is_service: bool = False
    generation: int = field(default=0, compare=False)
    api_key_id: str | None = field(default=None, compare=False)

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see and change everything. An API key never may."""
        return self.is_service or (self.role is Role.ADMIN and self.scopes is None)

    @property
    def is_organizer(self) -> bool:
        """Whether the caller may create events."""
        return self.role in _ORGANIZERS

    @property
    def acts_for_anyone(self) -> bool:
        """Whether the caller may book, cancel and read for any user."""
        return self.is_admin or rest_pb2.SCOPE_BOOKINGS_ANY_USER in (self.scopes or ())

    def may_use(self, scope: Scope) -> bool:
        """Returns whether the caller has a scope; a user with a token has all of them."""
        if self.scopes is None or scope in self.scopes:
            return True
        return scope in _OF_BOOKINGS and rest_pb2.SCOPE_BOOKINGS_ANY_USER in self.scopes


ANONYMOUS = Caller()
SERVICE = Caller(is_service=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """The access to an RPC, and the scope that an API key needs; without one no key is admitted."""

    access: rest_pb2.Access.ValueType
    scope: Scope = rest_pb2.SCOPE_UNSPECIFIED


def rule_of(method: MethodDescriptor) -> Rule:
    """Reads the rule of an RPC from the contract; raises ValueError if it has none."""
    rule = method.GetOptions().Extensions[rest_pb2.method]
    if rule.access == rest_pb2.ACCESS_UNSPECIFIED:
        raise ValueError(f"{method.full_name} does not say who may call it")
    return Rule(rule.access, rule.scope)


def admit(caller: Caller, rule: Rule, *, open_access: bool) -> None:
    """Raises Unauthenticated or PermissionDenied unless the rule admits the caller.

    With `open_access`, RPCs that are OPEN need no token.
    """
    if rule.access == rest_pb2.ACCESS_PUBLIC:
        return
    if caller is ANONYMOUS:
        _admit_anonymous(rule, open_access=open_access)
    elif caller.is_service:
        _expect(rule.access in _OF_SERVICES)
    else:
        _admit_account(caller, rule)


def denied(caller: Caller) -> Refusal:
    """Returns Unauthenticated for an anonymous caller, PermissionDenied for any other."""
    return Unauthenticated() if caller is ANONYMOUS else PermissionDenied()


def _admit_anonymous(rule: Rule, *, open_access: bool) -> None:
    # No token would help: only services may call it.
    _expect(rule.access != rest_pb2.ACCESS_SERVICE)
    if not (open_access and rule.access == rest_pb2.ACCESS_OPEN):
        raise Unauthenticated


def _admit_account(caller: Caller, rule: Rule) -> None:
    if caller.scopes is not None:
        _expect(rule.scope != rest_pb2.SCOPE_UNSPECIFIED and caller.may_use(rule.scope))
    if rule.access in _OF_ACCOUNTS:
        return
    if rule.access == rest_pb2.ACCESS_ORGANIZER:
        _expect(caller.is_organizer)
    else:
        _expect(rule.access == rest_pb2.ACCESS_ADMIN and caller.is_admin)


def _expect(admitted: bool) -> None:
    if not admitted:
        raise PermissionDenied


_ORGANIZERS = frozenset({Role.ORGANIZER, Role.ADMIN})
_OF_ACCOUNTS = frozenset({rest_pb2.ACCESS_OPEN, rest_pb2.ACCESS_USER})
# A service never acts as a user: USER and ORGANIZER are missing.
_OF_SERVICES = frozenset({rest_pb2.ACCESS_OPEN, rest_pb2.ACCESS_SERVICE, rest_pb2.ACCESS_ADMIN})
_OF_BOOKINGS = frozenset({rest_pb2.SCOPE_BOOKINGS_READ, rest_pb2.SCOPE_BOOKINGS_WRITE})
