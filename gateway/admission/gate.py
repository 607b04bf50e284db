"""Admits requests: checks credentials, then the limits of the address, caller and endpoint."""

from collections.abc import Sequence
from typing import Protocol

from limits.aio.strategies import RateLimiter

from gateway.admission.quotas import EndpointQuotas, Hit, Quota
from gateway.codec.json_body import Members
from gateway.contract.bindings import Binding
from gateway.http.client_address import ClientAddresses
from gateway.http.errors import is_verdict
from gateway.http.messages import Request
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.callers import ANONYMOUS, Caller, rule_of
from services.kit.rpc.errors import Refusal, Unauthenticated, Unavailable

NO_HITS: Sequence[Hit] = ()


class Admission(Protocol):
    """Admits the requests of one endpoint, after parsing and before validation."""

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Hit]:
        """Counts a request; returns the hits for `record_outcome`. Raises Refusal."""

    async def record_outcome(self, hits: Sequence[Hit], refusal: Refusal | None) -> None:
        """Refunds the hits of a request unless it failed by its client's fault."""


class CredentialCheck:
    """Admits every request that has a good credential, or needs none; counts nothing."""

    def __init__(self, authenticator: Authenticator, binding: Binding) -> None:
        self._authenticator = authenticator
        self._needs_credential = needs_credential(authenticator, binding)

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Hit]:
        """See Admission."""
        if self._needs_credential and not authorization:
            raise Unauthenticated
        if self._authenticator.cached(authorization) is None:
            await _authenticate(self._authenticator, authorization)
        return NO_HITS

    async def record_outcome(self, hits: Sequence[Hit], refusal: Refusal | None) -> None:
        """See Admission."""


class ClientLimits:
    """The limits that all endpoints share: requests of each address and of each caller."""

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
        self._caller_quota = Quota(counters, "caller", caller_requests)
        self._address_quota = Quota(counters, "address", address_requests)

    async def admit(self, request: Request, authorization: str) -> str:
        """Counts a request, and returns the address of its client. Raises Refusal."""
        address = self._addresses.of(request.peer, request.headers)
        # Before the credential: checking forged ones costs most, and they name no caller.
        await self._address_quota.hit(address)
        caller = self.authenticator.cached(authorization)
        if caller is None:
            caller = await _authenticate(self.authenticator, authorization)
        if caller.subject is not None:
            await self._caller_quota.hit(caller.subject)
        return address


class RateLimits:
    """Keeps the limits that all endpoints share, and the endpoint's own quotas."""

    def __init__(self, limits: ClientLimits, binding: Binding, counters: RateLimiter) -> None:
        self._limits = limits
        self._needs_credential = needs_credential(limits.authenticator, binding)
        self._quotas = EndpointQuotas(binding, counters) if binding.rule.quotas else None

    async def admit(self, request: Request, authorization: str, body: Members) -> Sequence[Hit]:
        """See Admission."""
        if self._needs_credential and not authorization:
            raise Unauthenticated
        address = await self._limits.admit(request, authorization)
        return NO_HITS if self._quotas is None else await self._quotas.hit(address, body)

    async def record_outcome(self, hits: Sequence[Hit], refusal: Refusal | None) -> None:
        """See Admission."""
        if self._quotas is not None and not (refusal and is_verdict(refusal)):
            await self._quotas.refund(hits)


def needs_credential(authenticator: Authenticator, binding: Binding) -> bool:
    """Returns whether this endpoint rejects requests without credentials."""
    try:
        authenticator.admit(ANONYMOUS, rule_of(binding.rpc))
    except Unauthenticated:
        return True
    return False


async def _authenticate(authenticator: Authenticator, authorization: str) -> Caller:
    """Returns the caller, anonymous while keys cannot be fetched. Raises InvalidToken."""
    try:
        return await authenticator.authenticate(authorization)
    except Unavailable:
        # The service may know the key.
        return ANONYMOUS
