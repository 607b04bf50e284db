"""Which connections there is room for: idle ones make way, and no address takes all of it.

An idle connection costs memory and nothing else, so it stays for as long as nobody else needs its
place. Only those that are busy with a request can keep a newcomer out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple, Protocol

from gateway.http import metrics
from gateway.http.client_address import Network, counted, is_within
from gateway.http.limits import Limits

TRIED = 16
"""Idle connections that are asked to make way before a newcomer is turned away."""


class Connection(Protocol):
    """A connection that can be closed while it is idle."""

    def make_way(self) -> bool:
        """Closes and returns True, unless bytes of a request or of an answer are on their way."""


class Room(Enum):
    """What a new connection may do: all, ask how the gateway is, or nothing."""

    FREE = auto()
    SPARE = auto()
    NONE = auto()


@dataclass(slots=True)
class _Share:
    """A number of connections, of which `idle` may be closed, the longest idle one first."""

    most: int
    count: int = 0
    idle: dict[Connection, None] = field(default_factory=dict)


class _Place(NamedTuple):
    """What a connection counts towards; `address` is empty where that has no share."""

    address: str
    shares: tuple[_Share, ...]


class Connections:
    """All connections of a gateway. Those of `proxies` speak for many, and have no share."""

    def __init__(self, limits: Limits, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies
        self._address_connections = limits.address_connections
        self._all = _Share(limits.connections)
        self._spare = _Share(limits.spare_connections)
        self._by_address: dict[str, _Share] = {}
        self._places: dict[Connection, _Place] = {}

    def admit(self, connection: Connection, peer: str) -> Room:
        """Finds room for a new connection, which is idle at first; closes another one for it."""
        address = "" if is_within(peer, self._proxies) else counted(peer)
        own = self._by_address.get(address, _Share(self._address_connections))
        shares = (self._all, own) if address else (self._all,)
        if all(self._has_room(share) for share in reversed(shares)):
            self._by_address.update({address: own} if address else {})
            self._place(connection, _Place(address, shares))
            return Room.FREE
        metrics.CROWDED_OUT.labels("newcomer").inc()
        if self._has_room(self._spare):
            self._place(connection, _Place("", (self._spare,)))
            return Room.SPARE
        return Room.NONE

    def rest(self, connection: Connection) -> None:
        """Notes that a connection is idle from now on."""
        place = self._places.get(connection)
        if place is not None:
            for share in place.shares:
                share.idle[connection] = None

    def wake(self, connection: Connection) -> None:
        """Notes that a connection is idle no longer."""
        place = self._places.get(connection)
        if place is not None:
            for share in place.shares:
                share.idle.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """Frees the place of a connection; does nothing where it has none."""
        self.wake(connection)
        place = self._places.pop(connection, None)
        if place is None:
            return
        metrics.CONNECTIONS.dec()
        for share in place.shares:
            share.count -= 1
        if place.address and not self._by_address[place.address].count:
            del self._by_address[place.address]

    def _has_room(self, share: _Share) -> bool:
        """Returns whether a share has room, if need be because an idle connection was closed."""
        if share.count < share.most:
            return True
        for connection in islice(share.idle, TRIED):
            if connection.make_way():
                self.remove(connection)
                metrics.CROWDED_OUT.labels("idle").inc()
                return True
        return False

    def _place(self, connection: Connection, place: _Place) -> None:
        metrics.CONNECTIONS.inc()
        self._places[connection] = place
        for share in place.shares:
            share.count += 1
            share.idle[connection] = None
