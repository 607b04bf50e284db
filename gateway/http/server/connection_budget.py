"""The budget of connections: idle ones are closed for new ones, and no address takes them all.

An idle connection costs only memory, so it stays open until another client needs its slot. Only
connections that are busy with a request can keep a new one out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple, Protocol

from gateway.http import metrics
from gateway.http.client_address import Network, client_network, is_within
from gateway.http.server.limits import Limits

MAX_CLOSE_ATTEMPTS = 16
"""Idle connections that are asked to close before a new connection is refused."""


class Connection(Protocol):
    """A connection that can be closed while it is idle."""

    def close_if_idle(self) -> bool:
        """Closes and returns True, unless bytes of a request or a response are on their way."""


class Slot(Enum):
    """The kind of slot that a new connection gets; a reserved one serves vital routes only."""

    NORMAL = auto()
    RESERVED = auto()
    NONE = auto()


@dataclass(slots=True)
class _Pool:
    """A limited number of slots; of its `idle` connections the first is idle for longest."""

    limit: int
    count: int = 0
    idle: dict[Connection, None] = field(default_factory=dict)


class _Membership(NamedTuple):
    """The pools that a connection counts in; `address` is empty if it has no pool of its own."""

    address: str
    pools: tuple[_Pool, ...]


class ConnectionBudget:
    """Counts all connections of a gateway; `proxies` speak for many, and have no pool each."""

    def __init__(self, limits: Limits, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies
        self._address_connections = limits.address_connections
        self._all = _Pool(limits.connections)
        self._reserved = _Pool(limits.spare_connections)
        self._by_address: dict[str, _Pool] = {}
        self._memberships: dict[Connection, _Membership] = {}

    def admit(self, connection: Connection, peer: str) -> Slot:
        """Finds a slot for a new connection, which is idle at first; may close another one."""
        address = "" if is_within(peer, self._proxies) else client_network(peer)
        own = self._by_address.get(address, _Pool(self._address_connections))
        pools = (self._all, own) if address else (self._all,)
        if all(self._has_room(pool) for pool in reversed(pools)):
            self._by_address.update({address: own} if address else {})
            self._add(connection, _Membership(address, pools))
            return Slot.NORMAL
        metrics.CROWDED_OUT.labels("newcomer").inc()
        if self._has_room(self._reserved):
            self._add(connection, _Membership("", (self._reserved,)))
            return Slot.RESERVED
        return Slot.NONE

    def mark_idle(self, connection: Connection) -> None:
        """Lets a connection be closed for a new one."""
        membership = self._memberships.get(connection)
        if membership is not None:
            for pool in membership.pools:
                pool.idle[connection] = None

    def mark_busy(self, connection: Connection) -> None:
        """Protects a connection from being closed for a new one."""
        membership = self._memberships.get(connection)
        if membership is not None:
            for pool in membership.pools:
                pool.idle.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """Frees the slot of a connection; does nothing if it has none."""
        self.mark_busy(connection)
        membership = self._memberships.pop(connection, None)
        if membership is None:
            return
        metrics.CONNECTIONS.dec()
        for pool in membership.pools:
            pool.count -= 1
        if membership.address and not self._by_address[membership.address].count:
            del self._by_address[membership.address]

    def _has_room(self, pool: _Pool) -> bool:
        """Returns whether a pool has a free slot, if need be after closing an idle connection."""
        if pool.count < pool.limit:
            return True
        for connection in islice(pool.idle, MAX_CLOSE_ATTEMPTS):
            if connection.close_if_idle():
                self.remove(connection)
                metrics.CROWDED_OUT.labels("idle").inc()
                return True
        return False

    def _add(self, connection: Connection, membership: _Membership) -> None:
        metrics.CONNECTIONS.inc()
        self._memberships[connection] = membership
        for pool in membership.pools:
            pool.count += 1
            pool.idle[connection] = None
