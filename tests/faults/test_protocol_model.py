"""The protocol between events and bookings, searched state by state over the real `judge`.

Every message may come late, twice, out of order or never; every process may stop between two steps
and be finished by somebody else. Each weakened protocol has a counter-example; the real one none.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from services.bookings.inventory import EventState, Verdict
from services.bookings.inventory.states import judge
from services.bookings.inventory.stock import Stock

ADMIN_STEPS, RESERVES, CANCELS = 3, 3, 2
SHRUNK, START, GROWN = 1, 2, 3
_CLOSED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Content:
    """What a revision of the event says."""

    rev: int
    capacity: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """The event's row of the inventory."""

    content: Content
    verdict: Verdict
    rev: int
    sold: int


@dataclass(frozen=True, slots=True)
class World:
    """Everything: both databases, what may be on the wire, and what the organizer was told."""

    event: Content
    intent: Content | None = None
    shelf: Shelf | None = None
    wire: frozenset[Content] = frozenset()
    promised: Content | None = None
    refused: frozenset[int] = frozenset()
    sold_after_close: bool = False
    steps: tuple[int, int, int] = (ADMIN_STEPS, RESERVES, CANCELS)


@dataclass(frozen=True, slots=True)
class Protocol:
    """The real protocol, unless a part of it is left out."""

    guards_revisions: bool = True
    stores_tombstones: bool = True
    asks_before_promising: bool = True
    writes_intents: bool = True
    fences_refusals: bool = True
    restates_refused: bool = True

    def apply(self, shelf: Shelf | None, state: Content) -> tuple[Shelf | None, Verdict]:
        """Brings a state to the inventory; returns the row and the verdict."""
        if shelf is None:
            if state.closed and not self.stores_tombstones:
                return None, Verdict.APPLIED
            return Shelf(state, Verdict.APPLIED, state.rev, 0), Verdict.APPLIED
        rev = shelf.rev if self.guards_revisions else -1
        judgement = judge(_stock(shelf, rev), _state(state))
        if state.rev <= rev or judgement.verdict is Verdict.STALE:
            return shelf, judgement.verdict
        if judgement.verdict is Verdict.REFUSED:
            fenced = replace(shelf, rev=state.rev, verdict=Verdict.REFUSED)
            return (fenced if self.fences_refusals else shelf), Verdict.REFUSED
        sold = 0 if state.closed else shelf.sold
        return Shelf(state, Verdict.APPLIED, state.rev, sold), Verdict.APPLIED


def _stock(shelf: Shelf, rev: int) -> Stock:
    return Stock(
        event_id=1,
        capacity=shelf.content.capacity,
        name="",
        status="CANCELLED" if shelf.content.closed else "PUBLISHED",
        epoch="",
        catalogue_rev=rev,
        verdict=shelf.verdict,
        sold=shelf.sold,
        rev=1,
        closed_at=_CLOSED_AT if shelf.content.closed else None,
        was_booked=True,
    )


def _state(content: Content) -> EventState:
    status = "CANCELLED" if content.closed else "PUBLISHED"
    return EventState(1, content.rev, "", content.capacity, status, deleted=content.closed)


def steps(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    """Returns every world that may come next, and what leads there."""
    yield from _organizer(world, protocol)
    yield from _finisher(world, protocol)
    for state in world.wire:
        yield f"deliver {state}", replace(world, shelf=protocol.apply(world.shelf, state)[0])
    yield from _buyers(world)


def _organizer(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    left, reserves, cancels = world.steps
    if not left or world.intent or world.event.closed:
        return
    after = replace(world, steps=(left - 1, reserves, cancels))
    rev = world.event.rev + 1
    for target in (Content(rev, SHRUNK), Content(rev, GROWN), Content(rev, START, closed=True)):
        takes_away = target.closed or target.capacity < world.event.capacity
        if not takes_away or not protocol.asks_before_promising:
            wire = world.wire | {target}
            yield f"commit {target}", replace(after, event=target, wire=wire, promised=target)
        elif protocol.writes_intents:
            yield f"intend {target}", replace(after, intent=target, wire=world.wire | {target})
        else:
            shelf, verdict = protocol.apply(world.shelf, target)
            asked = replace(after, shelf=shelf)
            yield f"ask {target}, then die", asked
            yield f"ask {target}, then conclude", _concluded(asked, target, verdict, protocol)


def _finisher(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    """Asks, and concludes by what it heard; whoever does it, and however often."""
    if world.intent is None:
        return
    shelf, verdict = protocol.apply(world.shelf, world.intent)
    asked = replace(world, shelf=shelf)
    yield "ask", asked
    yield "conclude", _concluded(asked, world.intent, verdict, protocol)


def _concluded(world: World, target: Content, verdict: Verdict, protocol: Protocol) -> World:
    """Commits the target and promises it, or burns its revision and states the event anew."""
    if verdict is Verdict.APPLIED:
        return replace(
            world, event=target, intent=None, promised=target, wire=world.wire | {target}
        )
    burned = replace(world.event, rev=target.rev + protocol.restates_refused)
    return replace(
        world,
        event=burned,
        intent=None,
        wire=world.wire | {burned},
        refused=world.refused | {target.rev},
    )


def _buyers(world: World) -> Iterator[tuple[str, World]]:
    shelf, (admin, reserves, cancels) = world.shelf, world.steps
    if shelf is None:
        return
    if reserves and not shelf.content.closed and shelf.sold < shelf.content.capacity:
        closed = world.promised is not None and world.promised.closed
        yield (
            "reserve",
            replace(
                world,
                shelf=replace(shelf, sold=shelf.sold + 1),
                sold_after_close=closed,
                steps=(admin, reserves - 1, cancels),
            ),
        )
    if cancels and shelf.sold:
        freed = replace(shelf, sold=shelf.sold - 1)
        yield "cancel", replace(world, shelf=freed, steps=(admin, reserves, cancels - 1))


def broken(world: World, protocol: Protocol) -> str:
    """Tells which promise a world breaks; "" for none."""
    if world.sold_after_close:
        return "sold after an acknowledged delete"
    if world.shelf and world.shelf.content.rev in world.refused:
        return "a refused change took effect"
    sold = world.shelf.sold if world.shelf else 0
    if world.promised and not world.promised.closed and sold > world.promised.capacity:
        return "sold more than an acknowledged capacity"
    if world.intent is None and world.shelf is not None:
        settled = protocol.apply(world.shelf, world.event)[0]
        if settled is None or _differ(settled.content, world.event):
            return "the two sides differ for good"
    return ""


def _differ(one: Content, other: Content) -> bool:
    return (one.capacity, one.closed) != (other.capacity, other.closed)


def search(protocol: Protocol) -> tuple[str, list[str], int]:
    """Searches breadth first; returns the broken promise, the way there, and the worlds seen."""
    start = World(Content(1, START), wire=frozenset({Content(1, START)}))
    ways: dict[World, tuple[World, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        if promise := broken(world, protocol):
            return promise, _way(ways, world), len(ways)
        for step, following in steps(world, protocol):
            if following not in ways:
                ways[following] = (world, step)
                queue.append(following)
    return "", [], len(ways)


def _way(ways: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    way: list[str] = []
    while (came := ways[world]) is not None:
        world, step = came
        way.append(step)
    return way[::-1]


def test_the_protocol_keeps_its_promises() -> None:
    """No order of steps, losses and repetitions breaks a promise."""
    promise, way, worlds = search(Protocol())
    assert promise == "", way
    assert worlds > 1_000


@pytest.mark.parametrize(
    ("weakened", "promise"),
    [
        (Protocol(guards_revisions=False), "sold more than an acknowledged capacity"),
        (Protocol(stores_tombstones=False), "sold after an acknowledged delete"),
        (Protocol(asks_before_promising=False), "sold after an acknowledged delete"),
        (Protocol(writes_intents=False), "the two sides differ for good"),
        (Protocol(fences_refusals=False), "a refused change took effect"),
        (Protocol(restates_refused=False), "the two sides differ for good"),
    ],
    ids=["no guard", "no tombstones", "promise first", "no intents", "no fence", "no restating"],
)
def test_each_part_of_the_protocol_is_needed(weakened: Protocol, promise: str) -> None:
    """Negative controls: without any one of its parts the search finds how it fails."""
    found, way, _ = search(weakened)
    assert found == promise, way
    assert way
