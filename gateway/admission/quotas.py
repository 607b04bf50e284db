"""How many requests each caller, each address and each value of a field has in how much time."""

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
    """So many in so many seconds, with keys that are made in a sixth of the usual time."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Gives the key under which it is counted for somebody."""
        return f"{self.namespace}/{self.multiples}/{identifiers[0]!s}"


class Taken(NamedTuple):
    """A place that a request took in a quota, to be given back if it succeeds."""

    item: RateLimitItem
    key: str


class Quota:
    """So many requests in so many seconds, for each key; `name` is what clients call it."""

    def __init__(self, counters: RateLimiter, name: str, requests: int, seconds: int = 60) -> None:
        self._counters = counters
        self._name = name
        self._item = Rate(requests, seconds, name)
        self._limited = LIMITED.labels(name)

    async def take(self, key: str) -> Taken:
        """Counts a request. Raises RateLimited."""
        if not await self._counters.hit(self._item, key):
            self._limited.inc()
            raise await self._refusal(key)
        return Taken(self._item, key)

    async def _refusal(self, key: str) -> RateLimited:
        stats = await self._counters.get_window_stats(self._item, key)
        return RateLimited(
            self._name,
            requests=self._item.amount,
            seconds=self._item.multiples,
            wait_seconds=max(1, math.ceil(stats.reset_time - time.time())),
        )


@dataclass(frozen=True, slots=True)
class _Own:
    """A quota that the contract gives to an RPC, and by what it counts."""

    quota: Quota
    names: frozenset[str]
    is_shared: bool
    only_failures: bool

    def key(self, address: str, body: Members) -> str | None:
        """Gives the key of a request; None where it lacks the field."""
        where = "" if self.is_shared else address
        if not self.names:
            return where
        value = next((value for name, value in body if name in self.names), None)
        return None if value is None else f"{where} {digest(value)}"


class OwnQuotas:
    """The quotas that the contract gives to the RPC of a binding."""

    def __init__(self, binding: Binding, counters: RateLimiter) -> None:
        self._counters = counters
        self._quotas = [_own(binding, rule, counters) for rule in binding.rule.quotas]

    async def take(self, address: str, body: Members) -> Sequence[Taken]:
        """Counts a request; gives what `give_back` takes. Raises RateLimited."""
        taken = []
        for own in self._quotas:
            if (key := own.key(address, body)) is not None:
                place = await own.quota.take(key)
                taken += [place] if own.only_failures else []
        return taken

    async def give_back(self, taken: Sequence[Taken]) -> None:
        """Forgets a request that was no failure of its client."""
        for item, key in taken:
            await self._counters.hit(item, key, cost=-1)


def described(rule: rest_pb2.Quota) -> str:
    """Says a quota of the contract in words."""
    requests = "failed requests" if rule.failures_only else "requests"
    counted = [f"each `{rule.field}`"] if rule.field else []
    counted += [] if rule.shared else ["each address of a client"]
    whose = f" for {' from '.join(counted)}" if counted else ""
    return f"At most {rule.requests} {requests} in {rule.seconds} seconds{whose}."


def digest(value: object) -> str:
    """Tells values apart without keeping them: they may be addresses of people."""
    return hashlib.sha256(str(value).strip().casefold().encode(errors="replace")).hexdigest()


def _own(binding: Binding, rule: rest_pb2.Quota, counters: RateLimiter) -> _Own:
    names = {f.name: f.request_names for f in binding.body_fields}.get(rule.field, ())
    parts = (
        _kebab(binding.rpc.name),
        rule.field.replace("_", "-"),
        "" if rule.shared else "address",
    )
    name = "-".join(filter(None, parts))
    return _Own(
        Quota(counters, name, rule.requests, rule.seconds),
        frozenset(names),
        rule.shared,
        rule.failures_only,
    )


def _kebab(name: str) -> str:
    """Spells `SendCode` as `send-code`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
