"""Quotas: the requests that a caller, an address or a value of a field has in a time."""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.strategies import RateLimiter

from boxoffice.rest.v1 import rest_pb2
from gateway.codec.json_body import Members
from gateway.contract.bindings import Binding
from gateway.http.errors import RateLimited
from gateway.http.metrics import LIMITED


class Rate(RateLimitItemPerSecond):
    """A number of requests in some seconds; makes keys in a sixth of the library's time."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Returns the key that the counters use for an identifier."""
        return f"{self.namespace}/{self.multiples}/{identifiers[0]!s}"


class Hit(NamedTuple):
    """A request that was counted in a quota, and can be refunded."""

    item: RateLimitItem
    key: str


class Quota:
    """A number of requests in some seconds for each key; clients see the `name` in `RateLimit`."""

    def __init__(self, counters: RateLimiter, name: str, requests: int, seconds: int = 60) -> None:
        self._counters = counters
        self._name = name
        self._item = Rate(requests, seconds, name)
        self._limited = LIMITED.labels(name)

    async def hit(self, key: str) -> Hit:
        """Counts a request. Raises RateLimited."""
        if not await self._counters.hit(self._item, key):
            self._limited.inc()
            raise await self._refusal(key)
        return Hit(self._item, key)

    async def _refusal(self, key: str) -> RateLimited:
        stats = await self._counters.get_window_stats(self._item, key)
        return RateLimited(
            self._name,
            requests=self._item.amount,
            seconds=self._item.multiples,
            wait_seconds=max(1, math.ceil(stats.reset_time - time.time())),
        )


@dataclass(frozen=True, slots=True)
class _EndpointQuota:
    """A quota of one endpoint: the names of the field and whether addresses share it."""

    quota: Quota
    names: frozenset[str]
    is_shared: bool
    only_failures: bool

    def key(self, address: str, body: Members) -> str | None:
        """Returns the key of a request; None if the request lacks the field."""
        prefix = "" if self.is_shared else address
        if not self.names:
            return prefix
        value = next((value for name, value in body if name in self.names), None)
        return None if value is None else f"{prefix} {digest(value)}"


class EndpointQuotas:
    """The quotas that the contract gives to an endpoint."""

    def __init__(self, binding: Binding, counters: RateLimiter) -> None:
        self._counters = counters
        self._quotas = [_endpoint_quota(binding, rule, counters) for rule in binding.rule.quotas]

    async def hit(self, address: str, body: Members) -> Sequence[Hit]:
        """Counts a request; returns the hits to refund if it succeeds. Raises RateLimited."""
        refundable = []
        for each in self._quotas:
            if (key := each.key(address, body)) is not None:
                hit = await each.quota.hit(key)
                refundable += [hit] if each.only_failures else []
        return refundable

    async def refund(self, hits: Sequence[Hit]) -> None:
        """Takes hits back from their quotas."""
        for item, key in hits:
            await self._counters.hit(item, key, cost=-1)


def describe(rule: rest_pb2.Quota) -> str:
    """Describes a quota of the contract in a sentence."""
    requests = "failed requests" if rule.failures_only else "requests"
    counted = [f"each `{rule.field}`"] if rule.field else []
    counted += [] if rule.shared else ["each address of a client"]
    whose = f" for {' from '.join(counted)}" if counted else ""
    return f"At most {rule.requests} {requests} in {rule.seconds} seconds{whose}."


def digest(value: object) -> str:
    """Returns a digest to count a value by: the value itself may be a person's address."""
    return hashlib.sha256(str(value).strip().casefold().encode(errors="replace")).hexdigest()


def _endpoint_quota(
    binding: Binding, rule: rest_pb2.Quota, counters: RateLimiter
) -> _EndpointQuota:
    names = {f.name: f.request_names for f in binding.body_fields}.get(rule.field, ())
    parts = (
        _kebab(binding.rpc.name),
        rule.field.replace("_", "-"),
        "" if rule.shared else "address",
    )
    name = "-".join(filter(None, parts))
    return _EndpointQuota(
        Quota(counters, name, rule.requests, rule.seconds),
        frozenset(names),
        rule.shared,
        rule.failures_only,
    )


def _kebab(name: str) -> str:
    """Spells `SendCode` as `send-code`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
