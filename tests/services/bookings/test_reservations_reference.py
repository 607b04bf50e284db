"""The function `reserve` against what a page of Python says it should do."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.bookings.catalogue import Catalogue
from services.bookings.decisions import CREATE, RESERVE, Outcome, Request, Reservation, Way
from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory
from services.bookings.reservations import Reservations
from services.kit.errors import Refusal
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.conftest import drift

EVENTS = 3
Drawn = dict[str, Any]
Answer = tuple[str, int | None, str | None]
"""Outcome, revision, and who holds the booking that is named."""
UNKNOWN: Answer = ("EVENT_NOT_FOUND", None, None)


@dataclass
class Reference:
    """Decides one request after the other, as if nothing ever ran side by side."""

    events: dict[int, EventState]
    revs: dict[int, int] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    holders: dict[int, list[str]] = field(default_factory=dict)
    answers: dict[tuple[str, str, str], tuple[bytes, Answer]] = field(default_factory=dict)

    def reserve(self, batch: list[Request]) -> list[Answer]:
        """Decides a batch."""
        return [self._answer(request) for request in batch]

    def _answer(self, request: Request) -> Answer:
        if request.key is None:
            return self._decide(request)
        place = (request.caller, request.way.operation, request.key)
        known = self.answers.get(place)
        if known and known[0] != request.fingerprint:
            return ("IDEMPOTENCY_KEY_REUSED", None, None)
        if known:
            return known[1]
        answer = self._decide(request)
        if answer != UNKNOWN:
            self.answers[place] = (request.fingerprint, answer)
        return answer

    def _decide(self, request: Request) -> Answer:
        event = self.events.get(request.event_id)
        if event is None:
            return UNKNOWN
        rev = self.revs.setdefault(event.event_id, 1)
        holders = self.holders.setdefault(event.event_id, [])
        if event.deleted or event.status == "DRAFT":
            return UNKNOWN
        if event.status != "PUBLISHED":
            return ("EVENT_NOT_BOOKABLE", rev, None)
        says = event.one_booking_per_user
        exclusive = request.way.is_exclusive if says is None else says
        if exclusive and request.user_id in holders:
            return ("ALREADY_BOOKED", rev, request.user_id)
        taken = self.taken.get(event.event_id, 0) + request.seat_count
        if taken > event.capacity:
            return ("SOLD_OUT", rev, None)
        self.taken[event.event_id] = taken
        if exclusive:
            holders.append(request.user_id)
        self.revs[event.event_id] = rev + 1
        return ("RESERVED", rev + 1, request.user_id)


events = st.fixed_dictionaries(
    {
        "capacity": st.integers(0, 7),
        "status": st.sampled_from(["PUBLISHED"] * 4 + ["DRAFT", "CANCELLED", "COMPLETED"]),
        "deleted": st.sampled_from([False, False, False, True]),
        "one_booking_per_user": st.sampled_from([None, True, False]),
    }
)
requests: st.SearchStrategy[Drawn] = st.builds(
    dict,
    event=st.integers(1, EVENTS + 1),
    user_id=st.sampled_from(["ada", "bob", "cy", "dé"]),
    seat_count=st.sampled_from([1, 1, 1, 2, 3]),
    caller=st.sampled_from(["", "acct_1"]),
    key=st.none() | st.sampled_from(["k1", "k2"]),
)
batches = st.lists(
    st.tuples(st.sampled_from([RESERVE, CREATE]), st.lists(requests, min_size=1, max_size=12)),
    min_size=1,
    max_size=3,
)


def test_batches_are_decided_as_if_one_by_one(database: Database) -> None:
    """Thousands of random batches, either way of booking.

    Repeated users, keys and events, parties too large and smaller ones behind them, full, closed
    and hidden events.
    """
    with asyncio.Runner() as runner:
        pool = patient_pool(database.bookings_dsn, schema="bookings", size=2)
        runner.run(pool.open())
        number = iter(range(0, 10**9, 10))

        @settings(
            max_examples=700,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(drawn_events=st.lists(events, min_size=EVENTS, max_size=EVENTS), drawn=batches)
        def check(drawn_events: list[Drawn], drawn: list[tuple[Way, list[Drawn]]]) -> None:
            base = next(number)
            states = [
                EventState(event_id=base + i, rev=1, name="", **event)
                for i, event in enumerate(drawn_events, start=1)
            ]
            hidden = {s.event_id for s in states if s.deleted or s.status == "DRAFT"}
            asked = [[_request(base, hidden, way, item) for item in batch] for way, batch in drawn]
            runner.run(_compare(Inventory(pool), Reservations(pool, _nothing(pool)), states, asked))

        check()
        runner.run(pool.close())
    assert drift(database) == []


def _request(base: int, hidden: set[int], way: Way, item: Drawn) -> Request:
    """Makes the drawn request, its event and key apart from those of other examples.

    Answers about unknown and hidden events are not kept, so these have keys of their own.
    """
    event_id = base + item["event"]
    space = event_id if item["event"] > EVENTS or event_id in hidden else base
    key = f"{space} {item['key']}" if item["key"] else None
    return Request(
        event_id, item["user_id"], item["seat_count"], caller=item["caller"], key=key, way=way
    )


def _nothing(pool: Pool) -> Catalogue:
    async def fetch(event: int | str) -> EventState:
        raise EventNotFound

    return Catalogue(fetch, Inventory(pool))


async def _compare(
    inventory: Inventory,
    reservations: Reservations,
    states: list[EventState],
    batches: list[list[Request]],
) -> None:
    for state in states:
        await inventory.apply(state)
    reference = Reference({state.event_id: state for state in states})
    owners: dict[int, str] = {}
    for batch in batches:
        outcomes = await reservations.reserve(batch)
        owners |= {o.booking_id: o.user_id for o in outcomes if isinstance(o, Reservation)}
        answers = [_answer(outcome, owners) for outcome in outcomes]
        assert answers == reference.reserve(batch)


def _answer(outcome: Outcome, owners: dict[int, str]) -> Answer:
    if isinstance(outcome, Reservation):
        return ("RESERVED", outcome.rev, owners[outcome.booking_id])
    assert isinstance(outcome, Refusal)
    rev, booking_id = outcome.metadata.get("inventory_revision"), outcome.metadata.get("booking_id")
    if outcome.reason == "IDEMPOTENCY_KEY_REUSED":
        return (outcome.reason, None, None)
    holder = owners[int(booking_id)] if booking_id else None
    return (outcome.reason, int(rev) if rev else None, holder)
