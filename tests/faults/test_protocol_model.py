"""A search of all states of the protocol between events and bookings, with the real `judge`.

Every message may come late, twice, out of order or never. Every process may stop between two steps,
and another one may finish its work. Each weakened protocol has a counter-example;
the real one has none.
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
    """The content of a revision of the event."""

    rev: int
    capacity: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The event's row of the inventory."""

    content: Content
    verdict: Verdict
    rev: int
    sold: int


@dataclass(frozen=True, slots=True)
class World:
    """A state of the search: both databases, messages on the wire, and responses to organizers."""

    event: Content
    intent: Content | None = None
    row: Row | None = None
    wire: frozenset[Content] = frozenset()
    promised: Content | None = None
    refused: frozenset[int] = frozenset()
    sold_after_close: bool = False
    steps: tuple[int, int, int] = (ADMIN_STEPS, RESERVES, CANCELS)


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol; each flag that is off leaves out a part of it."""

    guards_revisions: bool = True
    stores_tombstones: bool = True
    asks_before_promising: bool = True
    writes_intents: bool = True
    fences_refusals: bool = True
    restates_refused: bool = True

    def apply(self, row: Row | None, state: Content) -> tuple[Row | None, Verdict]:
        """Applies a state to the inventory; returns the row and the verdict."""
        if row is None:
            if state.closed and not self.stores_tombstones:
                return None, Verdict.APPLIED
            return Row(state, Verdict.APPLIED, state.rev, 0), Verdict.APPLIED
        rev = row.rev if self.guards_revisions else -1
        judgement = judge(_stock(row, rev), _state(state))
        if state.rev <= rev or judgement.verdict is Verdict.STALE:
            return row, judgement.verdict
        if judgement.verdict is Verdict.REFUSED:
            fenced = replace(row, rev=state.rev, verdict=Verdict.REFUSED)
            return (fenced if self.fences_refusals else row), Verdict.REFUSED
        sold = 0 if state.closed else row.sold
        return Row(state, Verdict.APPLIED, state.rev, sold), Verdict.APPLIED


def _stock(row: Row, rev: int) -> Stock:
    return Stock(
        event_id=1,
        capacity=row.content.capacity,
        name="",
        status="CANCELLED" if row.content.closed else "PUBLISHED",
        epoch="",
        catalogue_rev=rev,
        verdict=row.verdict,
        sold=row.sold,
        rev=1,
        closed_at=_CLOSED_AT if row.content.closed else None,
        was_booked=True,
    )


def _state(content: Content) -> EventState:
    status = "CANCELLED" if content.closed else "PUBLISHED"
    return EventState(1, content.rev, "", content.capacity, status, deleted=content.closed)


def steps(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    """Yields each possible next world, and the step that leads to it."""
    yield from _organizer(world, protocol)
    yield from _finisher(world, protocol)
    for state in world.wire:
        yield f"deliver {state}", replace(world, row=protocol.apply(world.row, state)[0])
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
            row, verdict = protocol.apply(world.row, target)
            asked = replace(after, row=row)
            yield f"ask {target}, then die", asked
            yield f"ask {target}, then conclude", _concluded(asked, target, verdict, protocol)


def _finisher(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    """Asks bookings and concludes by its verdict; any process may do so, any number of times."""
    if world.intent is None:
        return
    row, verdict = protocol.apply(world.row, world.intent)
    asked = replace(world, row=row)
    yield "ask", asked
    yield "conclude", _concluded(asked, world.intent, verdict, protocol)


def _concluded(world: World, target: Content, verdict: Verdict, protocol: Protocol) -> World:
    """Commits and promises the target, or uses up its revision and publishes the event again."""
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
    row, (admin, reserves, cancels) = world.row, world.steps
    if row is None:
        return
    if reserves and not row.content.closed and row.sold < row.content.capacity:
        closed = world.promised is not None and world.promised.closed
        yield (
            "reserve",
            replace(
                world,
                row=replace(row, sold=row.sold + 1),
                sold_after_close=closed,
                steps=(admin, reserves - 1, cancels),
            ),
        )
    if cancels and row.sold:
        freed = replace(row, sold=row.sold - 1)
        yield "cancel", replace(world, row=freed, steps=(admin, reserves, cancels - 1))


def broken_promise(world: World, protocol: Protocol) -> str:
    """Returns the promise that a world breaks; "" for none."""
    if world.sold_after_close:
        return "sold after an acknowledged delete"
    if world.row and world.row.content.rev in world.refused:
        return "a refused change took effect"
    sold = world.row.sold if world.row else 0
    if world.promised and not world.promised.closed and sold > world.promised.capacity:
        return "sold more than an acknowledged capacity"
    if world.intent is None and world.row is not None:
        settled = protocol.apply(world.row, world.event)[0]
        if settled is None or _differ(settled.content, world.event):
            return "the two sides differ for good"
    return ""


def _differ(one: Content, other: Content) -> bool:
    return (one.capacity, one.closed) != (other.capacity, other.closed)


def search(protocol: Protocol) -> tuple[str, list[str], int]:
    """Searches breadth first; returns a broken promise, its path, and the number of worlds."""
    start = World(Content(1, START), wire=frozenset({Content(1, START)}))
    predecessors: dict[World, tuple[World, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        if promise := broken_promise(world, protocol):
            return promise, _path(predecessors, world), len(predecessors)
        for step, following in steps(world, protocol):
            if following not in predecessors:
                predecessors[following] = (world, step)
                queue.append(following)
    return "", [], len(predecessors)


def _path(predecessors: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    path: list[str] = []
    while (came := predecessors[world]) is not None:
        world, step = came
        path.append(step)
    return path[::-1]


def test_the_protocol_keeps_its_promises() -> None:
    """An order of steps, losses and repetitions could break a promise."""
    promise, path, worlds = search(Protocol())
    assert promise == "", path
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
    """Negative controls: without any one of its parts, the search finds a failure."""
    found, path, _ = search(weakened)
    assert found == promise, path
    assert path
