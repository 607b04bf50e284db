"""An event of the reference: who has seats, who waits, and all that ever happened."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from services.bookings.access import Viewer
from services.bookings.inventory.commands import EventState

Answer: TypeAlias = tuple[object, ...]
"""What came of a command and the revision, then what else there is to say about it."""
Told: TypeAlias = tuple[object, ...]
"""A row of the ledger: revision, kind, user, seats, place, booking, when it ends, capacity."""
NOT_FOUND: Answer = ("EVENT_NOT_FOUND", None, None, None)


@dataclass(slots=True)
class Seats:
    """A booking, named by the revision that made it.

    `place` is the place in the line that it is offered to, `ends_at` when the offer ends.
    """

    made: int
    user: str
    count: int
    exclusive: bool
    price: int | None
    ends_at: datetime | None = None
    place: int | None = None


@dataclass(slots=True)
class Party:
    """Somebody in the line."""

    place: int
    user: str
    count: int
    blocks_since: datetime | None = None


@dataclass(slots=True)
class Event:
    """One event, with the state that is in force and what was judged last."""

    state: EventState
    offer_seconds: int
    epoch: str = ""
    judged: int = 0
    verdict: tuple[str, str, int] = ("APPLIED", "", 0)
    rev: int = 0
    live: dict[int, Seats] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)
    line: list[Party] = field(default_factory=list)
    last_place: int = 0
    had_any: set[str] = field(default_factory=set)
    had_exclusive: set[str] = field(default_factory=set)
    waited: set[str] = field(default_factory=set)
    closed: bool = False
    frozen: str = ""
    skip_fit: int | None = None
    look_at: datetime | None = None
    """When to look for offers that have ended: no later than the first of them does."""
    told: list[Told] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """Seats that are sold or held."""
        count = 0
        for seats in self.live.values():
            count += seats.count
        return count

    def tell(
        self,
        kind: str,
        user: str | None = None,
        count: int = 0,
        *,
        place: int | None = None,
        made: int | None = None,
        ends_at: datetime | None = None,
        capacity: int | None = None,
    ) -> None:
        """Adds a row to the ledger."""
        self.rev += 1
        self.told.append((self.rev, kind, user, count, place, made, ends_at, capacity))

    def objection(self, now: datetime, viewer: Viewer | None) -> Answer | None:
        """Returns why nothing is sold; None while the event is on sale."""
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
        """Returns whether the event does not exist for somebody."""
        owns = viewer is not None and viewer.owns(self.state.organizer_id)
        return self.state.deleted or (self.state.status == "DRAFT" and not owns)

    def exclusive_of(self, user: str) -> Seats | None:
        """Finds the booking that keeps a user from another one."""
        for seats in self.live.values():
            if seats.user == user and seats.exclusive:
                return seats
        return None

    def is_exclusive(self, *, otherwise: bool) -> bool:
        """Returns whether a booking made now is its user's only one."""
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
    ) -> Seats:
        """Gives somebody seats: they are offered to `place` of the line if that ever ends."""
        each = self.state.price_amount_minor
        price = None if each is None else each * count
        self.tell(kind, user, count, place=place, made=self.rev + 1, ends_at=ends_at)
        offered = None if ends_at is None else place
        seats = Seats(self.rev, user, count, exclusive, price, ends_at, offered)
        self.live[self.rev] = seats
        self.had_any.add(user)
        if exclusive:
            self.had_exclusive.add(user)
        return seats

    def end(self, kind: str, seats: Seats) -> None:
        """Takes seats away from whoever has them."""
        del self.live[seats.made]
        self.over.add(seats.made)
        told = {"place": seats.place, "made": seats.made}
        self.tell(kind, seats.user, -seats.count, ends_at=seats.ends_at, **told)

    def settle(self, now: datetime) -> None:
        """Ends the offers whose time is over, and serves the line."""
        if self.look_at is None or now < self.look_at:
            return
        self.look_at = None
        for seats in list(self.live.values()):
            if seats.ends_at is not None and seats.ends_at <= now:
                self.end("EXPIRED", seats)
            elif seats.ends_at is not None:
                self.look_at = min(self.look_at or seats.ends_at, seats.ends_at)
        self.serve_line(now)

    def serve_line(self, now: datetime) -> int:
        """Gives free seats to those in the line; returns how many got some.

        Whoever wants more than the event has holds nobody up. Whoever wants more than are free
        holds up all others, but not for ever where the event says so.
        """
        served, passes = 0, False
        if self.objection(now, None):
            return served
        for party in list(self.line):
            free = self.state.capacity - self.taken
            if free <= 0:
                break
            if party.count <= free:
                self.serve(party, now)
                served += 1
            elif party.count <= self.state.capacity and not passes:
                if not self.may_be_passed(party, now):
                    break
                passes = True
        return served

    def may_be_passed(self, head: Party, now: datetime) -> bool:
        """Returns whether smaller parties may pass the first that could be served at all."""
        if self.skip_fit is None:
            return False
        head.blocks_since = head.blocks_since or now
        return head.blocks_since + timedelta(seconds=self.skip_fit) <= now

    def serve(self, party: Party, now: datetime) -> None:
        """Sells seats to somebody in the line, or offers them if they cost something."""
        self.line.remove(party)
        exclusive, place = self.is_exclusive(otherwise=True), party.place
        if not self.state.price_amount_minor:
            self.give("SERVED", party.user, party.count, exclusive=exclusive, place=place)
            return
        ends_at = now + timedelta(seconds=self.offer_seconds)
        for end in (self.state.starts_at, self.state.sales_close_at):
            if end is not None and end < ends_at:
                ends_at = end
        self.give(
            "OFFERED", party.user, party.count, exclusive=exclusive, place=place, ends_at=ends_at
        )
        self.look_at = min(self.look_at or ends_at, ends_at)
