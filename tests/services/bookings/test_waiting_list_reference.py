"""The waiting list against what a page of Python says it should do, step by step."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.bookings.access import Viewer
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import TICKET, Request, Reservation, Waiting
from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory, Verdict
from services.bookings.keys import Keys
from services.bookings.reservations import Reservations
from services.bookings.waiting_list import WaitingList
from services.kit.authentication import SERVICE
from services.kit.errors import Refusal
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.conftest import clock_forward, drift

OFFER_SECONDS = 7200
STEP_SECONDS = 4000
ANYBODY = Viewer(SERVICE, open_access=False)
USERS = st.sampled_from(["ada", "bob", "cy", "dee", "eve", "flo"])
SEATS = st.sampled_from([1, 1, 1, 2, 3])
Answer = str | tuple[str, int] | tuple[str, bool]

_numbers = itertools.count(1)


@dataclass
class Reference:
    """One event, its holders, offers and line, as if nothing ever ran side by side."""

    capacity: int
    is_priced: bool
    now: int = 0
    closed: bool = False
    holders: dict[str, int] = field(default_factory=dict)
    offers: dict[str, tuple[int, int]] = field(default_factory=dict)
    line: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    @property
    def taken(self) -> int:
        """Seats that are sold or held."""
        return sum(self.holders.values()) + sum(seats for seats, _ in self.offers.values())

    def book(self, user: str, seats: int) -> Answer:
        """Books a ticket, or waits for it."""
        self.settle()
        if user in self.offers:
            self.holders[user], _ = self.offers.pop(user)
            return "BOOKED"
        if self.closed or user in self.holders:
            return "EVENT_NOT_BOOKABLE" if self.closed else "ALREADY_BOOKED"
        if user in self.line:
            return "ALREADY_WAITING", list(self.line).index(user) + 1
        if seats > max(self.capacity, 1):
            return "SOLD_OUT"
        self.known.add(user)
        if not self.line and self.taken + seats <= self.capacity:
            self.holders[user] = seats
            return "BOOKED"
        self.line[user] = seats
        return "WAITING", len(self.line)

    def cancel(self, user: str) -> Answer:
        """Gives a ticket back, declines an offer, or leaves the line."""
        self.settle()
        if not self.closed and (user in self.holders or user in self.offers):
            self.holders.pop(user, None)
            self.offers.pop(user, None)
            return "CANCELLED", self.promote()
        if not self.closed and user in self.line:
            del self.line[user]
            return "LEFT", self.promote()
        return "ALREADY_CANCELLED" if user in self.known else "BOOKING_NOT_FOUND"

    def resize(self, capacity: int) -> bool:
        """Adds or takes away seats; tells whether that could be."""
        self.settle()
        if self.closed or capacity < self.taken:
            return False
        self.capacity = capacity
        self.promote()
        return True

    def close(self) -> None:
        """Calls the event off."""
        self.closed = True
        self.holders, self.offers, self.line = {}, {}, {}

    def settle(self) -> None:
        """Ends the offers whose time is over."""
        ended = [user for user, (_, ends_at) in self.offers.items() if ends_at <= self.now]
        for user in ended:
            del self.offers[user]
        if ended:
            self.promote()

    def promote(self) -> bool:
        """Serves the head for as long as seats suffice; tells whether anybody was."""
        served = False
        for user, seats in list(self.line.items()):
            if seats > self.capacity:
                continue
            if self.taken + seats > self.capacity:
                break
            del self.line[user]
            served = True
            if self.is_priced:
                self.offers[user] = (seats, self.now + OFFER_SECONDS)
            else:
                self.holders[user] = seats
        return served


class Machine(RuleBasedStateMachine):
    """Does the same to the database and to the reference, and compares."""

    def __init__(self, database: Database, runner: asyncio.Runner, pool: Pool) -> None:
        super().__init__()
        self.database, self.runner = database, runner
        catalogue = Catalogue(_nothing, Inventory(pool))
        self.inventory = Inventory(pool)
        self.reservations = Reservations(pool, catalogue)
        self.waiting_list = WaitingList(pool, Keys(pool, catalogue))
        self.event_id = next(_numbers)
        self.key = f"event-{self.event_id}"
        self.rev = 0

    @initialize(capacity=st.integers(0, 4), is_priced=st.booleans())
    def open(self, capacity: int, is_priced: bool) -> None:
        """Opens an event."""
        self.reference = Reference(capacity, is_priced)
        clock_forward(self.database, seconds=0)
        self.apply(capacity)

    @rule(user=USERS, seats=SEATS)
    def book(self, user: str, seats: int) -> None:
        """Books a ticket."""
        asked = [Request(self.event_id, user, seats, way=TICKET)]
        [outcome] = self.runner.run(self.reservations.reserve(asked))
        assert _told(outcome) == self.reference.book(user, seats)

    @rule(user=USERS)
    def cancel(self, user: str) -> None:
        """Gives a ticket back."""
        answer: Answer
        try:
            given = self.runner.run(self.waiting_list.give_back(self.key, user, ANYBODY, ""))
            answer = given.outcome, given.promoted
        except Refusal as refusal:
            answer = refusal.reason
        assert answer == self.reference.cancel(user)

    @rule(user=USERS)
    def reserve(self, user: str) -> None:
        """Walks in, and gets no seat that others wait for."""
        self.reference.settle()
        reference = self.reference
        if reference.closed:
            expected = "EVENT_NOT_BOOKABLE"
        elif user in reference.holders or user in reference.offers:
            expected = "ALREADY_BOOKED"
        elif reference.line or reference.taken >= reference.capacity:
            expected = "SOLD_OUT"
        else:
            expected = "BOOKED"
            reference.holders[user] = 1
            reference.known.add(user)
        [outcome] = self.runner.run(self.reservations.reserve([Request(self.event_id, user)]))
        assert _told(outcome) == expected

    @rule(capacity=st.integers(0, 6))
    def resize(self, capacity: int) -> None:
        """Grows or shrinks the event."""
        judged = self.apply(capacity)
        assert judged == (Verdict.APPLIED if self.reference.resize(capacity) else Verdict.REFUSED)

    @rule()
    def wait(self) -> None:
        """Lets time pass."""
        self.reference.now += STEP_SECONDS
        clock_forward(self.database, seconds=self.reference.now)

    @rule()
    def sweep(self) -> None:
        """Sweeps."""
        self.runner.run(self.waiting_list.sweep())
        self.reference.settle()

    @precondition(lambda self: self.rev > 3)
    @rule()
    def close(self) -> None:
        """Calls the event off, and writes that down."""
        self.reference.close()
        self.apply(self.reference.capacity, status="CANCELLED")
        while self.runner.run(self.inventory.close_chunk()):
            pass

    def apply(self, capacity: int, **changes: Any) -> Verdict:
        """Applies the next revision of the event."""
        self.rev += 1
        price = {"price_amount_minor": 500, "price_currency": "EUR"}
        values = {"status": "PUBLISHED", **(price if self.reference.is_priced else {}), **changes}
        state = EventState(self.event_id, self.rev, "Concert", capacity, key=self.key, **values)
        return self.runner.run(self.inventory.apply(state)).verdict

    @invariant()
    def agree(self) -> None:
        """The same holders, offers and line, and everything counts right."""
        if not self.rev:
            return
        with psycopg.connect(self.database.owner_dsn) as connection:
            connection.execute("SET search_path TO bookings")
            live = connection.execute(
                "SELECT user_id, status, seat_count FROM booking_details"
                " WHERE event_id = %s AND status IN ('HELD', 'CONFIRMED')",
                [self.event_id],
            ).fetchall()
            line = connection.execute(
                "SELECT user_id, waiting_position(event_id, place)"
                " FROM waiting_list JOIN inventory USING (event_id)"
                " WHERE event_id = %s AND state = 'WAITING' AND closed_at IS NULL ORDER BY place",
                [self.event_id],
            ).fetchall()
        reference = self.reference
        assert {user: seats for user, status, seats in live if status == "CONFIRMED"} == (
            reference.holders
        )
        assert {user: seats for user, status, seats in live if status == "HELD"} == {
            user: seats for user, (seats, _) in reference.offers.items()
        }
        assert line == [(user, position) for position, user in enumerate(reference.line, start=1)]
        assert drift(self.database) == []


def test_the_line_is_what_a_page_says_it_is(database: Database) -> None:
    """Random lives of events: tickets, parties, offers, more and fewer seats, time, the end."""
    with asyncio.Runner() as runner:
        pool = patient_pool(database.bookings_dsn, schema="bookings", size=2)
        runner.run(pool.open())
        run_state_machine_as_test(
            lambda: Machine(database, runner, pool),  # type: ignore[arg-type]
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(pool.close())


def _told(outcome: Reservation | Waiting | Refusal) -> Answer:
    if isinstance(outcome, Waiting):
        return "WAITING", outcome.position
    if isinstance(outcome, Refusal) and "position" in outcome.metadata:
        return outcome.reason, int(outcome.metadata["position"])
    return outcome.reason if isinstance(outcome, Refusal) else "BOOKED"


async def _nothing(event: Any) -> EventState:
    raise EventNotFound
