"""Which connection is closed for which new one."""

from dataclasses import dataclass, replace
from ipaddress import ip_network

from gateway.http.server.connection_budget import MAX_CLOSE_ATTEMPTS, ConnectionBudget, Slot
from gateway.http.server.limits import LIMITS

ALICE, BOB, PROXY = "192.0.2.1", "192.0.2.2", "10.0.0.1"
THREE = replace(LIMITS, connections=3, address_connections=2, spare_connections=1)


@dataclass(eq=False)
class Line:
    """A connection that closes unless bytes are on their way."""

    is_quiet: bool = True
    is_closed: bool = False

    def close_if_idle(self) -> bool:
        """See Connection."""
        self.is_closed = self.is_quiet
        return self.is_closed


def admitted(connections: ConnectionBudget, *peers: str) -> list[Line]:
    """Opens a connection from each address."""
    lines = [Line() for _ in peers]
    for line, peer in zip(lines, peers, strict=True):
        assert connections.admit(line, peer) is Slot.NORMAL
    return lines


def closed(lines: list[Line]) -> list[bool]:
    """Returns for each line whether it was closed."""
    return [line.is_closed for line in lines]


def test_the_longest_idle_connection_is_closed() -> None:
    """A client that is in use would lose its connection to a newer, unused one."""
    connections = ConnectionBudget(THREE)
    lines = admitted(connections, ALICE, ALICE, BOB)
    connections.mark_busy(lines[0])
    connections.mark_idle(lines[0])
    assert connections.admit(Line(), "192.0.2.3") is Slot.NORMAL
    assert closed(lines) == [False, True, False]
    assert connections.admit(Line(), "192.0.2.4") is Slot.NORMAL
    assert closed(lines) == [False, True, True]


def test_a_busy_connection_is_never_closed() -> None:
    """A request in flight would be lost to a new connection."""
    connections = ConnectionBudget(THREE)
    lines = admitted(connections, ALICE, BOB, "192.0.2.3")
    for line in lines:
        connections.mark_busy(line)
    spare = Line()
    assert connections.admit(spare, "192.0.2.4") is Slot.RESERVED
    connections.mark_busy(spare)
    assert connections.admit(Line(), "192.0.2.5") is Slot.NONE
    assert closed([*lines, spare]) == [False] * 4
    connections.remove(lines[0])
    assert connections.admit(Line(), "192.0.2.6") is Slot.NORMAL


def test_a_connection_with_unread_bytes_is_passed_over() -> None:
    """A request that the kernel has already received would be lost."""
    connections = ConnectionBudget(THREE)
    lines = admitted(connections, ALICE, BOB, "192.0.2.3")
    lines[0].is_quiet = False
    assert connections.admit(Line(), "192.0.2.4") is Slot.NORMAL
    assert closed(lines) == [False, True, False]


def test_a_new_connection_tries_only_a_few_idle_ones() -> None:
    """When bytes wait on all connections, each new one would examine them all."""
    size = 4 * MAX_CLOSE_ATTEMPTS
    connections = ConnectionBudget(replace(LIMITS, connections=size, address_connections=size))
    lines = admitted(connections, *[ALICE] * size)
    for line in lines:
        line.is_quiet = line is lines[-1]
    assert connections.admit(Line(), BOB) is Slot.RESERVED
    assert not lines[-1].is_closed


def test_an_address_at_its_limit_loses_its_own_connection() -> None:
    """One address that opens many connections would close those of others."""
    connections = ConnectionBudget(THREE)
    bobs, first, second = admitted(connections, BOB, ALICE, ALICE)
    admitted(connections, ALICE)
    assert closed([bobs, first, second]) == [False, True, False]


def test_an_address_busy_at_its_limit_is_refused() -> None:
    """One address would take all connections."""
    connections = ConnectionBudget(THREE)
    for line in admitted(connections, ALICE, ALICE):
        connections.mark_busy(line)
    assert connections.admit(Line(), ALICE) is Slot.RESERVED
    assert connections.admit(Line(), BOB) is Slot.NORMAL


def test_a_network_of_ipv6_has_one_limit() -> None:
    """The owner of a /64 would escape the limit by changing addresses."""
    connections = ConnectionBudget(THREE)
    for line in admitted(connections, "2001:db8::1", "2001:db8::2"):
        connections.mark_busy(line)
    assert connections.admit(Line(), "2001:db8::3") is Slot.RESERVED
    assert connections.admit(Line(), "2001:db8:0:1::1") is Slot.NORMAL


def test_a_trusted_proxy_has_no_limit() -> None:
    """All clients behind a proxy would share the limit of one address."""
    connections = ConnectionBudget(THREE, [ip_network("10.0.0.0/8")])
    lines = admitted(connections, PROXY, PROXY, PROXY)
    assert closed(lines) == [False] * 3
    connections.mark_busy(lines[0])
    admitted(connections, ALICE)
    assert closed(lines) == [False, True, False]


def test_reserved_slots_are_freed_too() -> None:
    """A silent client in a reserved slot would keep balancers out."""
    connections = ConnectionBudget(replace(THREE, connections=1))
    [only] = admitted(connections, ALICE)
    connections.mark_busy(only)
    silent = Line()
    assert connections.admit(silent, ALICE) is Slot.RESERVED
    assert connections.admit(Line(), BOB) is Slot.RESERVED
    assert silent.is_closed


def test_a_closed_connection_leaves_no_trace() -> None:
    """Every address that ever connected would cost memory."""
    connections = ConnectionBudget(THREE)
    lines = admitted(connections, ALICE, BOB)
    for line in lines:
        connections.remove(line)
        connections.remove(line)
        connections.mark_idle(line)
    assert not connections._by_address
    assert not connections._memberships
    assert connections._all.count == len(connections._all.idle) == 0
