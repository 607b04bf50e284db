import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import grpc
import psycopg
import pytest

from boxoffice.accounts.v1 import notices_pb2
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list import messages
from services.bookings.waiting_list import notices as notices_module
from services.bookings.waiting_list.notices import Notice, Notices
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import OutcomeUnknown, Received, Refusal, Unavailable
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat, seat_by_key
from tests.services.bookings.conftest import concert
from tests.services.conditions import until_blocked
from tests.services.issuer import account

SOON = datetime(2099, 11, 20, 19, 30, tzinfo=UTC)
PEOPLE = 20
NO_NAME = Received(grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
DEFECT = Received(grpc.StatusCode.INTERNAL, "INTERNAL")
NO_DATABASE = Received(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


@dataclass
class ScriptedAccounts:
    """Accepts each notice once; refuses all, or batches with certain users."""

    refusal: Refusal | None = None
    loses_the_answer: bool = False
    poison: tuple[str, Refusal] | None = None
    taken: dict[str, Notice] = field(default_factory=dict)
    calls: list[Sequence[Notice]] = field(default_factory=list)

    @property
    def mailed(self) -> list[str]:
        """The users of the accepted notices."""
        return sorted(notice.user_id for notice in self.taken.values())

    async def send_notices(self, notices: Sequence[Notice]) -> None:
        """See outbox.Accounts."""
        self.calls.append(notices)
        if self.refusal:
            raise self.refusal
        if self.poison and self.poison[0] in {notice.user_id for notice in notices}:
            raise self.poison[1]
        self.taken |= {str(notice.id): notice for notice in notices}
        if self.loses_the_answer:
            raise OutcomeUnknown


@pytest.fixture
def accounts() -> ScriptedAccounts:
    """Returns accounts that accept all notices."""
    return ScriptedAccounts()


@pytest.fixture
def notices(pool: Pool, accounts: ScriptedAccounts) -> Notices:
    """Returns the worker, which sends only when a test calls it."""
    return Notices(pool, accounts)


@pytest.fixture
async def people(inventory: Inventory, reservations: Reservations, database: Database) -> list[str]:
    """Books for accounts from the waiting list; returns the accounts in order."""
    users = sorted(account(f"user{number}") for number in range(PEOPLE))
    await inventory.apply(concert(starts_at=SOON))
    await booked(reservations, [seat(1, user) for user in users])
    execute(
        database, "INSERT INTO notices (event_id, booking_id) SELECT event_id, id FROM bookings"
    )
    return users


def execute(database: Database, statement: str) -> None:
    """Runs a statement as the owner of the schema."""
    with connect(database) as connection:
        connection.execute(statement.encode())


def waiting(database: Database) -> int:
    """Counts the notices that are not sent."""
    with connect(database) as connection:
        [count] = connection.execute("SELECT count(*) FROM notices").fetchone() or (0,)
        return int(count)


def connect(database: Database) -> psycopg.Connection[Any]:
    """Connects as the owner of the schema."""
    options = "-c search_path=bookings"
    return psycopg.connect(database.owner_dsn, options=options, autocommit=True)


def due_again(database: Database) -> None:
    """Makes refused notices due."""
    execute(database, "UPDATE notices SET due_at = now()")


async def test_a_notice_is_gone_when_accounts_has_it(
    notices: Notices, accounts: ScriptedAccounts, people: list[str], database: Database
) -> None:
    """A notice would be sent again for ever, or without a field that accounts needs."""
    assert not await notices.send()
    assert (accounts.mailed, waiting(database)) == (people, 0)
    [notice, *_] = accounts.taken.values()
    assert (notice.event_name, notice.event_starts_at, notice.seat_count) == ("Concert", SOON, 1)
    assert not await notices.send()
    assert len(accounts.calls) == 1


async def test_notices_are_sent_in_chunks(
    pool: Pool, accounts: ScriptedAccounts, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notices beyond the first chunk would not be sent."""
    monkeypatch.setattr(notices_module, "NOTICES_CHUNK", 8)
    notices = Notices(pool, accounts)
    assert [await notices.send() for _ in range(3)] == [True, True, False]
    assert [len(call) for call in accounts.calls] == [8, 8, 4]
    assert accounts.mailed == people


async def test_a_lost_answer_tells_nobody_twice(
    notices: Notices, accounts: ScriptedAccounts, people: list[str], database: Database
) -> None:
    """After a lost response a user would get a second mail."""
    accounts.loses_the_answer = True
    await notices.send()
    assert waiting(database) == PEOPLE
    accounts.loses_the_answer = False
    due_again(database)
    await notices.send()
    assert len(accounts.calls) == 2
    assert (accounts.mailed, waiting(database)) == (people, 0)


@pytest.mark.parametrize("refusal", [Unavailable(), OutcomeUnknown(), NO_DATABASE])
async def test_accounts_may_be_down(
    notices: Notices,
    accounts: ScriptedAccounts,
    people: list[str],
    database: Database,
    refusal: Refusal,
) -> None:
    """While accounts is down, notices would be lost or sent without a pause."""
    accounts.refusal = refusal
    for seconds in (10, 20, 40, 60, 60):
        assert not await notices.send()
        assert not await notices.send()
        with connect(database) as connection:
            rows = connection.execute(
                "SELECT DISTINCT round(extract(epoch FROM due_at - now()) / 5) * 5 FROM notices"
            ).fetchall()
        assert rows == [(seconds,)]
        due_again(database)
    assert len(accounts.calls) == 5
    accounts.refusal = None
    await notices.send()
    assert (accounts.mailed, waiting(database)) == (people, 0)


@pytest.mark.parametrize("refusal", [NO_NAME, DEFECT])
async def test_a_notice_that_accounts_cannot_take_waits_alone(
    notices: Notices,
    accounts: ScriptedAccounts,
    people: list[str],
    database: Database,
    refusal: Refusal,
) -> None:
    """One refused notice would hold up all others, or cost a call for each of them."""
    accounts.poison = (people[7], refusal)
    await notices.send()
    assert accounts.mailed == people[:7] + people[8:]
    assert waiting(database) == 1
    assert len(accounts.calls) <= 11
    accounts.poison = None
    due_again(database)
    await notices.send()
    assert (accounts.mailed, waiting(database)) == (people, 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bookings SET status = 'CANCELLED', cancelled_at = now()",
        "UPDATE bookings SET status = 'EXPIRED', expires_at = now()",
        "UPDATE bookings SET status = 'HELD', expires_at = now()",
        "UPDATE inventory SET closed_at = now()",
        "UPDATE inventory SET starts_at = now()",
    ],
)
async def test_nobody_is_told_of_a_booking_that_is_over(
    notices: Notices,
    accounts: ScriptedAccounts,
    people: list[str],
    database: Database,
    change: str,
) -> None:
    """A user would get a mail about seats that they do not have any more."""
    assert people
    execute(database, change)
    await notices.send()
    assert (accounts.calls, waiting(database)) == ([], 0)


async def test_an_offer_is_told_with_its_end_until_it_is_accepted(
    notices: Notices, accounts: ScriptedAccounts, people: list[str], database: Database
) -> None:
    """A mail would describe an accepted offer as open, or miss its end."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    execute(
        database,
        f"UPDATE bookings SET status = 'HELD', expires_at = '{until}'"
        f" WHERE user_id <> '{people[0]}'",
    )
    await notices.send()
    sent = {each.account_id: each for each in map(messages.notice, accounts.taken.values())}
    assert sent[people[0]].kind == notices_pb2.NOTICE_KIND_PROMOTED
    assert not sent[people[0]].HasField("offer_expires_at")
    assert sent[people[1]].kind == notices_pb2.NOTICE_KIND_OFFERED
    assert sent[people[1]].offer_expires_at.ToDatetime(UTC) == until


@pytest.mark.parametrize("price", [{}, {"price_amount_minor": 1000, "price_currency": "EUR"}])
async def test_those_who_are_served_have_notices(
    inventory: Inventory,
    reservations: Reservations,
    notices: Notices,
    accounts: ScriptedAccounts,
    price: dict[str, Any],
) -> None:
    """A served account would get no notice, or users who did not wait get one."""
    users = ["guest", *sorted(account(f"user{number}") for number in range(4))]
    await inventory.apply(concert(capacity=2, **price))
    await reservations.decide([seat_by_key(1, user) for user in users])
    await notices.send()
    assert accounts.calls == []
    await inventory.apply(concert(capacity=4, rev=2, **price))
    await notices.send()
    assert accounts.mailed == users[2:4]
    assert {one.offer_expires_at is not None for one in accounts.taken.values()} == {bool(price)}


async def sent_by_four(pool: Pool) -> Counter[str]:
    """Sends with four replicas at once; counts how often each notice was sent.

    Accounts refuses all, so no notice is deleted before another replica can find it.
    """
    accounts = ScriptedAccounts(Unavailable())
    await pool.resize(4, 4)
    await pool.wait()
    await asyncio.gather(*(Notices(pool, accounts).send() for _ in range(4)))
    return Counter(str(notice.id) for call in accounts.calls for notice in call)


async def test_each_notice_is_sent_by_one_replica(pool: Pool, people: list[str]) -> None:
    """Several replicas would send the same notice."""
    sent = await sent_by_four(pool)
    assert len(sent) == len(people)
    assert set(sent.values()) == {1}


async def test_without_the_lock_replicas_would_send_the_same_notices(
    pool: Pool, people: list[str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the test above would pass without the lock."""
    unlocked = notices_module.SQL["lease_notices"].replace(b"FOR UPDATE SKIP LOCKED", b"")
    statements = MappingProxyType({**notices_module.SQL, "lease_notices": unlocked})
    monkeypatch.setattr(notices_module, "SQL", statements)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as own:
        with connect(database) as gate, gate.transaction():
            gate.execute("SELECT FROM notices WHERE event_id = 1 FOR UPDATE")
            sending = asyncio.create_task(sent_by_four(pool))
            await until_blocked(own, 4)
        sent = await sending
    assert len(sent) == len(people)
    assert set(sent.values()) == {4}
