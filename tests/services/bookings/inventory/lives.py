"""Random lives of events with few events, users and seats, so that commands collide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from services.bookings.access import Viewer
from services.bookings.inventory.commands import (
    Apply,
    Book,
    Cancel,
    Command,
    EventState,
    Freeze,
    Reserve,
    SetSkipFit,
    Sweep,
    Withdraw,
)
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    Release,
    ReleaseUser,
)
from services.bookings.seating.choosing import Wish
from services.bookings.seating.plan import Plan
from services.kit.rpc.callers import Caller
from tests.services.bookings.inventory.paying_lives import PayingLives, Prices
from tests.services.bookings.seating.plans import TYPES, random_plan

T = TypeVar("T")
START = datetime(2030, 1, 1, tzinfo=UTC)
OFFER_SECONDS = 60
OWNER = Viewer(Caller(subject="acct_org"), open_access=False)
USERS = ("ada", "bob", "cy", "dee", "eve", "flo", "gus", "hal", "ivy", "acct_jo")
PARTIES = (1, 1, 1, 1, 1, 2, 2, 3, 4, 6)
CAPACITIES = (0, 1, 2, 3, 4, 5, 6, 8, 20)
BATCHES = (1, 1, 2, 3, 5, 8, 16, 32)
STEPS = (0, 0, 0, 1, 5, 20, 70)
PATIENCE = (None, 0, 10, 60)
EVENTS = 3
LIFE = 400
PLANS = 40
NO_PLANS: Mapping[int, Plan] = {}
BY_NUMBER: Sequence[Callable[[int, int], Command]] = (
    Cancel, Release, Release, IssueTicket, IssueTicket,
)  # fmt: skip
LONG_STEPS = (0, 0, 0, 1, 5, 20, 70, 150, 400, 900)


@dataclass(slots=True)
class Life:
    """An event for which commands are made up, and how many commands are left."""

    state: EventState
    left: int


def made_up_plans(seed: int) -> Mapping[int, Plan]:
    """Makes random plans of 1 to about 50 seats."""
    random = Random(seed)
    return {number: random_plan(random) for number in range(1, PLANS + 1)}


class Lives:
    """Makes random batches of commands, the same for the same seed and bookings."""

    def __init__(
        self,
        seed: int,
        bookings: Callable[[int], Sequence[int]],
        plans: Mapping[int, Plan] = NO_PLANS,
        *,
        prices: Prices | None = None,
    ) -> None:
        """`bookings` lists the numbers of an event's bookings that may be cancelled.

        With `plans` most events have assigned seats, and most commands are about these. With
        `prices` half of the commands are about payments, and all events have a price.
        """
        self.random = Random(seed)
        self.now = START
        self.plans = plans
        self._bookings = bookings
        self._paying = PayingLives(self.random, bookings, prices) if prices else None
        self._last_event_id = 0
        self._lives = [self._born() for _ in range(EVENTS)]

    def batch(self) -> list[Command]:
        """Makes a batch of commands and moves the clock on."""
        self.now += timedelta(seconds=self.pick(LONG_STEPS if self.plans else STEPS))
        count = self.pick(BATCHES)
        return [self._command() for _ in range(count)]

    def pick(self, choices: Sequence[T]) -> T:
        """Picks one of the choices."""
        return choices[int(self.random.random() * len(choices))]

    def _command(self) -> Command:
        index = int(self.random.random() * EVENTS)
        life = self._lives[index]
        life.left -= 1
        if life.left == 0:
            life = self._lives[index] = self._born()
        event_id = life.state.event_id
        chance = self.random.random()
        if not life.state.rev and chance < 0.5:
            return self._apply(life, epoch="")
        if self._paying and self.random.random() < 0.5:
            return self._paying.command(event_id)
        if self.plans and self.random.random() < 0.85:
            return self._about_seats(life)
        if chance < 0.72:
            return self._asked(event_id, chance)
        if chance < 0.85:
            return Cancel(event_id, self._booking(event_id), self.random.random() < 0.5)
        return self._applied(life) if chance < 0.95 else self._rare(life)

    def _asked(self, event_id: int, chance: float) -> Command:
        user, party = self.pick(USERS), self.pick(PARTIES)
        viewer = OWNER if self.random.random() < 0.1 else None
        if chance < 0.2:
            return Reserve(event_id, user, party, self.random.random() < 0.5, viewer)
        if chance < 0.58:
            return Book(event_id, user, party, viewer)
        return Withdraw(event_id, user, viewer)

    def _about_seats(self, life: Life) -> Command:
        event_id, user = life.state.event_id, self.pick((*USERS, "acct_jo", "acct_jo"))
        viewer = OWNER if self.random.random() < 0.1 else None
        chance = self.random.random()
        if chance < 0.55:
            return self._hold(life, user, viewer)
        if chance < 0.65:
            return ReleaseUser(event_id, user, viewer)
        if chance < 0.7:
            return BlockSeats(event_id, self._some_seats(life, 3), viewer)
        return self.pick(BY_NUMBER)(event_id, self._booking(event_id))

    def _hold(self, life: Life, user: str, viewer: Viewer | None) -> Hold:
        require_all = self.random.random() < 0.7
        if self.random.random() < 0.6:
            named = self._some_seats(life, 4) or (1,)
            return Hold(life.state.event_id, user, named, require_all=require_all, viewer=viewer)
        plan = self.plans.get(life.state.plan_id or 0)
        sections = [None, None, None, *(plan.of_section if plan else ()), "Nowhere"]
        count = self.pick((1, 2, 2, 2, 3, 4, 6))
        best = Wish(
            count,
            self.pick((None, None, *TYPES)),
            self.pick(sections),
            adjacent=self.random.random() < 0.6,
            accessible=self.pick((0, 0, 0, 0, 1)),
        )
        return Hold(life.state.event_id, user, best=best, viewer=viewer)

    def _some_seats(self, life: Life, most: int) -> tuple[int, ...]:
        """Picks seats, mostly adjacent ones, and sometimes one that does not exist."""
        plan = self.plans.get(life.state.plan_id or 0)
        last = plan.seat_count if plan else 5
        first = 1 + int(self.random.random() * last)
        count = int(self.random.random() * (most + 1))
        chance = self.random.random()
        if chance < 0.02:
            return (first, last + 1)
        if chance < 0.7:
            return tuple(range(first, min(first + count, last + 1)))
        return tuple({1 + int(self.random.random() * last) for _ in range(count)})

    def _booking(self, event_id: int) -> int:
        bookings = self._bookings(event_id)
        return self.pick(bookings) if bookings else 0

    def _rare(self, life: Life) -> Command:
        event_id = life.state.event_id
        chance = self.random.random()
        if chance < 0.6:
            return Sweep(event_id)
        if chance < 0.85:
            return SetSkipFit(event_id, self.pick(PATIENCE))
        if life.left < 20:
            return Freeze(event_id, "COUNTERS")
        known = (life.state.epoch, life.state.rev - int(self.random.random() * 2))
        epoch, rev = known if chance < 0.95 else (None, None)
        return Freeze(event_id, "CATALOGUE", epoch, rev)

    def _born(self) -> Life:
        self._last_event_id += 1
        state = EventState(self._last_event_id, 0, "Concert", 0, "PUBLISHED")
        return Life(state, left=1 + int(LIFE * self.random.random()))

    def _applied(self, life: Life) -> Apply:
        """Makes the next state of an event, or one that is late or of another epoch."""
        chance = self.random.random()
        if chance < 0.1:
            return Apply(replace(life.state, rev=life.state.rev - int(2 * self.random.random())))
        if chance < 0.2:
            epoch = self.pick(("", "a", "b"))
            return self._apply(life, epoch=epoch, begins_epoch=self.random.random() < 0.5)
        return self._apply(life, epoch=life.state.epoch)

    def _apply(self, life: Life, *, epoch: str, begins_epoch: bool = False) -> Apply:
        price = self.pick((700, 700, 900) if self._paying else (None, 0, 700))
        plan_id = self._plan(life)
        plan = self.plans.get(plan_id or 0)
        ends = life.left < (120 if self._paying else 30) and self.random.random() < 0.5
        state = EventState(
            life.state.event_id,
            life.state.rev + 1,
            "Concert",
            plan.seat_count if plan else self.pick(CAPACITIES),
            self._status() if not ends else self.pick(("CANCELLED", "PUBLISHED")),
            deleted=ends and self.random.random() < 0.7,
            starts_at=self._moment(0.05),
            sales_open_at=self._moment(0.05),
            sales_close_at=self._moment(0.1),
            price_amount_minor=price,
            price_currency=None if price is None else "EUR",
            one_booking_per_user=self._rule(life),
            organizer_id="acct_org",
            epoch=epoch,
            plan_id=plan_id,
            seat_type_prices=self.pick(({}, {}, {"VIP": 900}, {"VIP": 900, "REGULAR": 0})),
            orphan_rule=self.random.random() < 0.5,
        )
        if epoch == life.state.epoch or begins_epoch:
            life.state = state
        return Apply(state, begins_epoch)

    def _plan(self, life: Life) -> int | None:
        """Picks a plan, mostly the one in force."""
        if not self.plans:
            return None
        if life.state.rev and self.random.random() < 0.95:
            return life.state.plan_id
        return self.pick(tuple(self.plans)) if self.random.random() < 0.9 else None

    def _status(self) -> str:
        chance = self.random.random()
        return "PUBLISHED" if chance < 0.9 else "DRAFT" if chance < 0.96 else "COMPLETED"

    def _moment(self, probability: float) -> datetime | None:
        if self.random.random() > probability:
            return None
        return self.now + timedelta(seconds=self.pick((-5, 5, 20, 50, 90, 300)))

    def _rule(self, life: Life) -> bool | None:
        """Picks the rule of one booking per user, mostly the one in force."""
        if life.state.rev and self.random.random() < 0.9:
            return life.state.one_booking_per_user
        return self.pick((None, None, None, None, True) if self.plans else (None, True, False))
