"""An event of the reference: its bookings, its waiting list and its ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.inventory.commands import EventState
from services.bookings.seating.choosing import Wish
from services.bookings.seating.plan import Plan
from tests.services.bookings.seating import naive

Answer: TypeAlias = tuple[object, ...]
"""The outcome of a command, the revision, and further values of the outcome."""
LedgerRow: TypeAlias = tuple[object, ...]
"""A row of the ledger: revision, kind, user, number of seats, place, booking, when it ends,
capacity, and which seats."""
HOLD = timedelta(minutes=10)
LATELY = timedelta(minutes=5)
MOST_HELD = 10
NOT_FOUND: Answer = ("EVENT_NOT_FOUND", None, None, None)


@dataclass(slots=True)
class Seats:
    """A booking, named by the revision that made it.

    `place` is the place in line of an offer, `ends_at` the time when an offer or hold ends.
    """

    made: int
    user: str
    count: int
    exclusive: bool
    price: int | None
    ends_at: datetime | None = None
    place: int | None = None
    ids: tuple[int, ...] = ()
    made_at: datetime | None = None
    extended: bool = False
    paying: bool = False
    ticket: str = ""


@dataclass(slots=True)
class Money:
    """A payment of a booking: what was asked for and received, and its refunds by their ids."""

    made: int
    user: str
    price: int
    state: str = "CREATED"
    got: int = 0
    wrong: bool = False
    refunds: dict[UUID, tuple[int, str]] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """What was not given back."""
        return self.got - sum(amount for amount, _ in self.refunds.values())

    @property
    def status(self) -> str:
        """The status that follows from the refunds."""
        if not self.got:
            return self.state
        back = sum(amount for amount, state in self.refunds.values() if state == "REFUNDED")
        if back == self.got:
            return "REFUNDED"
        return "REFUND_DUE" if back < self.got - self.left else "SUCCEEDED"


@dataclass(slots=True)
class Party:
    """An entry of the waiting list."""

    place: int
    user: str
    count: int
    blocks_since: datetime | None = None


@dataclass(slots=True)
class Event:
    """One event, with the state in force and the latest judged one."""

    state: EventState
    offer_seconds: int
    plan_id: int | None = None
    plan: Plan | None = None
    epoch: str = ""
    judged: int = 0
    verdict: tuple[str, str, int] = ("APPLIED", "", 0)
    rev: int = 0
    live: dict[int, Seats] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)
    seated: set[int] = field(default_factory=set)
    """All bookings of assigned seats, live or not."""
    line: list[Party] = field(default_factory=list)
    last_place: int = 0
    had_any: set[str] = field(default_factory=set)
    had_exclusive: set[str] = field(default_factory=set)
    waited: set[str] = field(default_factory=set)
    closed: bool = False
    frozen: str = ""
    skip_fit: int | None = None
    look_at: datetime | None = None
    """The next time to look for ended offers, at the latest when the first one ends."""
    blocked: set[int] = field(default_factory=set)
    let_go: list[tuple[str, datetime]] = field(default_factory=list)
    """Users whose holds ended unconfirmed, and when."""
    gone: dict[int, tuple[str, Seats]] = field(default_factory=dict)
    """Bookings that have ended, and how."""
    payments: dict[UUID, Money] = field(default_factory=dict)
    ledger: list[LedgerRow] = field(default_factory=list)

    @property
    def capacity(self) -> int:
        """The number of seats."""
        return self.plan.seat_count if self.plan else self.state.capacity

    @property
    def room(self) -> int:
        """The number of seats on sale."""
        return self.capacity - len(self.blocked)

    @property
    def free(self) -> set[int]:
        """The ids of the free assigned seats."""
        every = set(range(1, self.plan.seat_count + 1)) if self.plan else set()
        return every.difference(self.blocked, *(seats.ids for seats in self.live.values()))

    @property
    def taken(self) -> int:
        """The number of sold and held seats."""
        count = 0
        for seats in self.live.values():
            count += seats.count
        return count

    def add_row(
        self,
        kind: str,
        user: str | None = None,
        count: int = 0,
        *,
        place: int | None = None,
        made: int | None = None,
        ends_at: datetime | None = None,
        capacity: int | None = None,
        ids: Iterable[int] = (),
    ) -> None:
        """Adds a row to the ledger."""
        self.rev += 1
        row = (self.rev, kind, user, count, place, made, ends_at, capacity, tuple(sorted(ids)))
        self.ledger.append(row)

    def objection(self, now: datetime, viewer: Viewer | None) -> Answer | None:
        """Returns why nothing can be booked; None while the event is on sale."""
        state = self.state
        if self.hides_from(viewer):
            return NOT_FOUND
        is_early = state.sales_open_at is not None and now < state.sales_open_at
        is_late = (state.sales_close_at is not None and now >= state.sales_close_at) or (
            state.starts_at is not None and now >= state.starts_at
        )
        if state.status != "PUBLISHED" or self.frozen or is_early or is_late:
            return ("EVENT_NOT_BOOKABLE", self.rev, None, None)
        return None

    def hides_from(self, viewer: Viewer | None) -> bool:
        """Returns whether the viewer must not see the event."""
        owns = viewer is not None and viewer.owns(self.state.organizer_id)
        return self.state.deleted or (self.state.status == "DRAFT" and not owns)

    def exclusive_of(self, user: str) -> Seats | None:
        """Returns the user's exclusive booking."""
        for seats in self.live.values():
            if seats.user == user and seats.exclusive:
                return seats
        return None

    def is_exclusive(self, *, otherwise: bool) -> bool:
        """Returns whether a new booking is exclusive."""
        rule = self.state.one_booking_per_user
        return otherwise if rule is None else rule

    def give(
        self,
        kind: str,
        user: str,
        count: int,
        *,
        exclusive: bool,
        place: int | None = None,
        ends_at: datetime | None = None,
        ids: Iterable[int] = (),
    ) -> Seats:
        """Books seats for a user; with an end they are offered to `place` of the line."""
        ids = tuple(sorted(ids))
        price = self.price(count, ids)
        self.add_row(kind, user, count, place=place, made=self.rev + 1, ends_at=ends_at, ids=ids)
        offered = None if ends_at is None else place
        seats = Seats(self.rev, user, count, exclusive, price, ends_at, offered, ids)
        self.live[self.rev] = seats
        if ids:
            self.seated.add(self.rev)
        self.had_any.add(user)
        if exclusive:
            self.had_exclusive.add(user)
        return seats

    def end(self, kind: str, seats: Seats) -> None:
        """Ends a booking and frees its seats."""
        del self.live[seats.made]
        self.over.add(seats.made)
        self.gone[seats.made] = kind, seats
        self.add_row(
            kind, seats.user, -seats.count, place=seats.place, made=seats.made,
            ends_at=seats.ends_at, ids=seats.ids,
        )  # fmt: skip

    def best(self, count: int) -> list[int]:
        """Chooses the best free seats; none if seats are not assigned."""
        if self.plan is None:
            return []
        found = naive.choose(self.plan, self.free, Wish(count, adjacent=False))
        assert found is not None
        return found

    def price(self, count: int, ids: Sequence[int]) -> int | None:
        """Computes the price of seats."""
        each, kinds = self.state.price_amount_minor, self.state.seat_type_prices
        if each is None or self.plan is None:
            return None if each is None else each * count
        return sum(kinds.get(self.plan.seat(seat_id).type, each) for seat_id in ids)

    def hold(
        self, user: str, count: int, now: datetime, *, exclusive: bool, ids: Iterable[int] = ()
    ) -> Seats:
        """Holds seats for a user for ten minutes."""
        ends_at = now + HOLD
        seats = self.give("HELD", user, count, exclusive=exclusive, ends_at=ends_at, ids=ids)
        seats.made_at = now
        self.look_at = min(self.look_at or ends_at, ends_at)
        return seats

    def holds_too_much(self, user: str, count: int, most: int, now: datetime) -> bool:
        """Returns whether a user would hold more than `most` seats, or let too many holds end."""
        for seats in self.live.values():
            if seats.user == user and seats.ends_at is not None:
                count += seats.count
        lately = [1 for who, at in self.let_go if who == user and at > now - LATELY]
        return count > most or (user.startswith("acct_") and len(lately) >= 3)

    def settle(self, now: datetime) -> None:
        """Ends offers that are over, and serves the line."""
        if self.look_at is None or now < self.look_at:
            return
        self.look_at = None
        for seats in list(self.live.values()):
            if seats.paying and seats.ends_at is not None and seats.ends_at <= now:
                continue
            if seats.ends_at is not None and seats.ends_at <= now:
                self.end("EXPIRED", seats)
                self.let_go.append((seats.user, seats.ends_at))
            elif seats.ends_at is not None:
                self.look_at = min(self.look_at or seats.ends_at, seats.ends_at)
        self.serve_line(now)

    def give_back(self, money: Money, refund_id: UUID, amount: int) -> None:
        """Writes a refund."""
        money.refunds[refund_id] = amount, "DUE"
        self.add_row("REFUND_DUE", money.user, made=money.made)

    def buyer(self, made: int) -> tuple[UUID, Money] | None:
        """Returns the payment that bought a booking."""
        for payment_id, money in self.payments.items():
            if money.made == made and money.left:
                return payment_id, money
        return None

    def serve_line(self, now: datetime) -> int:
        """Assigns free seats to the line; returns how many entries got some.

        Parties larger than the event are skipped. A party that wants more seats than are free
        blocks all behind it, or only for a time if the event allows smaller parties to pass.
        """
        served, passes = 0, False
        if self.objection(now, None):
            return served
        for party in list(self.line):
            free = self.room - self.taken
            if free <= 0:
                break
            if party.count <= free:
                self.serve(party, now)
                served += 1
            elif party.count <= self.room and not passes:
                if not self.may_be_passed(party, now):
                    break
                passes = True
        return served

    def may_be_passed(self, head: Party, now: datetime) -> bool:
        """Returns whether smaller parties may pass the blocked head."""
        if self.skip_fit is None:
            return False
        head.blocks_since = head.blocks_since or now
        return head.blocks_since + timedelta(seconds=self.skip_fit) <= now

    def serve(self, party: Party, now: datetime) -> None:
        """Sells seats to an entry of the line, or offers them if they have a price."""
        self.line.remove(party)
        exclusive, place = self.is_exclusive(otherwise=True), party.place
        ids = self.best(party.count)
        if not self.price(party.count, ids):
            self.give("SERVED", party.user, party.count, exclusive=exclusive, place=place, ids=ids)
            return
        ends_at = now + timedelta(seconds=self.offer_seconds)
        for end in (self.state.starts_at, self.state.sales_close_at):
            if end is not None and end < ends_at:
                ends_at = end
        offer = self.give(
            "OFFERED", party.user, party.count, exclusive=exclusive, place=place, ends_at=ends_at,
            ids=ids,
        )  # fmt: skip
        offer.made_at = now
        self.look_at = min(self.look_at or ends_at, ends_at)
