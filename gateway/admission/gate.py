"""Lets requests in: finds out whose they are, and that they are not too many."""

from collections.abc import Sequence
from typing import Protocol

from limits.aio.strategies import RateLimiter

from gateway.admission.quotas import OwnQuotas, Quota, Taken
from gateway.codec.json_body import Members
from gateway.contract.bindings import Binding
from gateway.http.client_address import ClientAddresses
from gateway.http.errors import is_verdict
from gateway.http.messages import Request
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.callers import ANONYMOUS, Caller, rule_of
from services.kit.rpc.errors import Refusal, Unauthenticated, Unavailable

NOTHING_TAKEN: Sequence[Taken] = ()


class Admission(Protocol):
    """Decides about the requests of one binding, once they are parsed and before they are read."""

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Taken]:
        """Lets a request in, and gives what `settle` needs. Raises Refusal."""

    async def settle(self, taken: Sequence[Taken], refusal: Refusal | None) -> None:
        """Tells how a request ended that had taken something."""


class Unlimited:
    """Lets in whoever has a good credential, or none where none is needed."""

    def __init__(self, authenticator: Authenticator, binding: Binding) -> None:
        self._authenticator = authenticator
        self._needs_token = needs_token(authenticator, binding)

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Taken]:
        """See Admission."""
        if self._needs_token and not authorization:
            raise Unauthenticated
        if self._authenticator.cached(authorization) is None:
            await _caller(self._authenticator, authorization)
        return NOTHING_TAKEN

    async def settle(self, taken: Sequence[Taken], refusal: Refusal | None) -> None:
        """See Admission."""


class Gate:
    """What the limits of all bindings have in common: who calls from where, and how often."""

    def __init__(
        self,
        authenticator: Authenticator,
        addresses: ClientAddresses,
        counters: RateLimiter,
        *,
        caller_requests: int,
        address_requests: int,
    ) -> None:
        self.authenticator = authenticator
        self._addresses = addresses
        self._of_caller = Quota(counters, "caller", caller_requests)
        self._of_address = Quota(counters, "address", address_requests)

    async def admit(self, request: Request, authorization: str) -> str:
        """Lets a request in, and gives the address of its client. Raises Refusal."""
        address = self._addresses.of(request.peer, request.headers)
        # Before the credential is looked at: made-up ones cost most, and have no caller to count.
        await self._of_address.take(address)
        caller = self.authenticator.cached(authorization)
        if caller is None:
            caller = await _caller(self.authenticator, authorization)
        if caller.subject is not None:
            await self._of_caller.take(caller.subject)
        return address


class Limited:
    """Keeps the limits of all bindings, and those that the contract gives to one of them."""

    def __init__(self, gate: Gate, binding: Binding, counters: RateLimiter) -> None:
        self._gate = gate
        self._needs_token = needs_token(gate.authenticator, binding)
        self._own = OwnQuotas(binding, counters) if binding.rule.quotas else None

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Taken]:
        """See Admission."""
        if self._needs_token and not authorization:
            raise Unauthenticated
        address = await self._gate.admit(request, authorization)
        return NOTHING_TAKEN if self._own is None else await self._own.take(address, body)

    async def settle(self, taken: Sequence[Taken], refusal: Refusal | None) -> None:
        """Gives back what was taken, unless the client was told that it was wrong."""
        if self._own is not None and not (refusal and is_verdict(refusal)):
            await self._own.give_back(taken)


def needs_token(authenticator: Authenticator, binding: Binding) -> bool:
    """Tells whether the rule by which services admit callers refuses who shows nothing."""
    try:
        authenticator.admit(ANONYMOUS, rule_of(binding.rpc))
    except Unauthenticated:
        return True
    return False


async def _caller(authenticator: Authenticator, authorization: str) -> Caller:
    """Tells who calls. Raises InvalidToken; what cannot be told now, the service may know."""
    try:
        return await authenticator.authenticate(authorization)
    except Unavailable:
        return ANONYMOUS
