"""Who calls, and whether an RPC admits them at all.

What a caller may do with which row is decided by each service's domain code.
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
    """What an account is to Boxoffice."""

    USER = "USER"
    ORGANIZER = "ORGANIZER"
    ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an account (`subject`), another service of Boxoffice, or nobody in particular.

    `scopes` limit an API key; None for whoever is there in person. `generation` is that of their
    token, which accounts compares once more before it gives anything that outlives the token.
    """

    subject: str | None = None
    role: Role | None = None
    scopes: Set[Scope] | None = None
    is_service: bool = False
    generation: int = field(default=0, compare=False)

    @property
    def is_admin(self) -> bool:
        """Whether everything is theirs to see and to change. No API key is an admin."""
        return self.is_service or (self.role is Role.ADMIN and self.scopes is None)

    @property
    def is_organizer(self) -> bool:
        """Whether they may make events of their own."""
        return self.role in _ORGANIZERS

    @property
    def acts_for_anyone(self) -> bool:
        """Whether they may book, cancel and read in the name of any user."""
        return self.is_admin or rest_pb2.SCOPE_BOOKINGS_ANY_USER in (self.scopes or ())

    def may_use(self, scope: Scope) -> bool:
        """Tells whether they may do what needs a scope; those there in person may do anything."""
        if self.scopes is None or scope in self.scopes:
            return True
        return scope in _OF_BOOKINGS and rest_pb2.SCOPE_BOOKINGS_ANY_USER in self.scopes


ANONYMOUS = Caller()
SERVICE = Caller(is_service=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom an RPC admits, and what an API key needs for it; without a scope it admits none."""

    access: rest_pb2.Access.ValueType
    scope: Scope = rest_pb2.SCOPE_UNSPECIFIED


def rule_of(method: MethodDescriptor) -> Rule:
    """Reads from the contract whom an RPC admits; raises ValueError when it does not say so."""
    rule = method.GetOptions().Extensions[rest_pb2.method]
    if rule.access == rest_pb2.ACCESS_UNSPECIFIED:
        raise ValueError(f"{method.full_name} does not say who may call it")
    return Rule(rule.access, rule.scope)


def admit(caller: Caller, rule: Rule, *, open_access: bool) -> None:
    """Raises Unauthenticated or PermissionDenied unless the rule admits the caller.

    With `open_access` what is OPEN needs no token.
    """
    if rule.access == rest_pb2.ACCESS_PUBLIC:
        return
    if caller is ANONYMOUS:
        _admit_nobody(rule, open_access=open_access)
    elif caller.is_service:
        _expect(rule.access in _OF_SERVICES)
    else:
        _admit_account(caller, rule)


def denied(caller: Caller) -> Refusal:
    """Makes the refusal of what is not a caller's to do: whoever has no credential may need one."""
    return Unauthenticated() if caller is ANONYMOUS else PermissionDenied()


def _admit_nobody(rule: Rule, *, open_access: bool) -> None:
    # No token would open what is for services alone.
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
# What an account does in person is not for a service to do.
_OF_SERVICES = frozenset({rest_pb2.ACCESS_OPEN, rest_pb2.ACCESS_SERVICE, rest_pb2.ACCESS_ADMIN})
_OF_BOOKINGS = frozenset({rest_pb2.SCOPE_BOOKINGS_READ, rest_pb2.SCOPE_BOOKINGS_WRITE})
