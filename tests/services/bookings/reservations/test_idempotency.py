import asyncio
from typing import Any

import psycopg
import pytest

from boxoffice.bookings.v1 import bookings_pb2
from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound, SoldOut
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Booked, Outcome, Replayed
from services.bookings.reservations.reservations import Reservations
from services.kit.database import idempotency
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import prepared
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import (
    IdempotencyKeyReused,
    RequestInProgress,
)
from tests.conftest import Database
from tests.services.bookings.asking import booked, party, seat, seat_by_key, summaries
from tests.services.bookings.conftest import (
    GATE,
    concert,
    drift,
    put_a_gate_behind_the_lock,
)
from tests.services.bookings.rush import kinds, replicas, rush
from tests.services.conditions import until_blocked


def repeated(outcome: Outcome) -> Any:
    """Returns the stored response that a key got again."""
    assert isinstance(outcome, Replayed), outcome
    return bookings_pb2.ReserveResponse.FromString(outcome.response)


async def test_a_key_has_one_effect_and_one_answer(
    database: Database, pool: Pool, inventory: Inventory, catalogue: Catalogue
) -> None:
    """Of 64 requests with the same key more than one would book."""
    await inventory.apply(concert(one_booking_per_user=False))
    outcomes = await rush(replicas(pool, catalogue), [seat(1, "ada", key="k")] * 64)
    [made] = [outcome for outcome in outcomes if isinstance(outcome, Booked)]
    again = [repeated(outcome) for outcome in outcomes if isinstance(outcome, Replayed)]
    assert {one.reservation.booking_id for one in again} == {made.booking.id}
    assert kinds(outcomes).keys() <= {"Booked", "Replayed", "RequestInProgress"}
    assert drift(database) == []


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "control"])
async def test_the_primary_key_is_enough(
    database: Database,
    pool: Pool,
    inventory: Inventory,
    monkeypatch: pytest.MonkeyPatch,
    checked: bool,
) -> None:
    """A key would book twice at once where its advisory lock is on one of several nodes.

    The control overwrites the result of the one who was faster.
    """
    claimed = idempotency.SQL["claim"].replace(b"pg_try_advisory_xact_lock", b"0 <> ")
    monkeypatch.setattr(idempotency, "_CLAIM", prepared("claim", claimed))
    if not checked:
        stored = idempotency.SQL["store"].replace(b">= interval '24 hours'", b"IS NOT NULL")
        monkeypatch.setattr(idempotency, "_STORE", prepared("store", stored))
    await inventory.apply_all([concert(1), concert(2)])
    put_a_gate_behind_the_lock(database)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as gate:
        await gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
        asked = [
            asyncio.create_task(Inventory(pool).decide([seat(event_id, "ada", key="k")]))
            for event_id in (1, 2)
        ]
        await until_blocked(gate, 2)
        await gate.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        made = kinds([outcome for [outcome] in await asyncio.gather(*asked)])
    assert made == ({"Booked": 1, "IdempotencyKeyReused": 1} if checked else {"Booked": 2})


async def test_a_refusal_is_replayed_too(inventory: Inventory, reservations: Reservations) -> None:
    """A client that retries a sold-out request would get a seat without knowing it."""
    await inventory.apply(concert(capacity=1))
    await booked(reservations, [seat(1, "bob")])
    [first] = await reservations.decide([seat(1, "ada", key="k")])
    await inventory.apply(concert(capacity=2, rev=2))
    [again] = await reservations.decide([seat(1, "ada", key="k")])
    assert summaries([first, again]) == ["SOLD_OUT", "SOLD_OUT"]
    assert isinstance(first, SoldOut)
    assert getattr(again, "metadata", None) == {**first.metadata, "replayed": "true"}


async def test_a_key_belongs_to_its_caller_its_operation_and_its_content(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A caller would get a stranger's response, or that of another request."""
    await inventory.apply(concert(one_booking_per_user=False))
    account = Viewer(Caller("acct_1"), open_access=True)
    await booked(
        reservations,
        [
            seat(1, "ada", key="k"),
            seat(1, "acct_1", key="k", viewer=account),
            party(1, "ada", 2, key="k"),
            seat_by_key(1, "ada", key="k"),
        ],
    )
    for other in (seat(1, "bob", key="k"), seat(2, "ada", key="k"), party(1, "ada", 3, key="k")):
        [outcome] = await reservations.decide([other])
        assert isinstance(outcome, IdempotencyKeyReused)
        assert not outcome.metadata, "what became of the first request is its caller's"


async def test_a_key_of_one_batch_twice_is_one_request(
    inventory: Inventory, reservations: Reservations
) -> None:
    """Two requests with the same key in a batch would book twice."""
    await inventory.apply(concert())
    same = seat(1, "ada", key="k")
    first, twin, stranger = await reservations.decide([same, same, seat(1, "bob", key="k")])
    assert isinstance(first, Booked)
    assert repeated(twin).reservation.booking_id == first.booking.id
    assert isinstance(stranger, IdempotencyKeyReused)


async def test_a_key_in_flight_is_refused_at_once(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A repeated request would wait for the transaction of the first one."""
    await inventory.apply(concert())
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(E'\\x1freserve\\x1fk', 0))"
        )
        [outcome] = await reservations.decide([seat(1, "ada", key="k")])
    assert isinstance(outcome, RequestInProgress)


async def test_keys_are_forgotten_after_a_day(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A key would stay used after a day, until the sweeper deletes it or for ever."""
    await inventory.apply(concert(one_booking_per_user=False))
    await booked(reservations, [seat(1, "ada", key="k"), seat(1, "ada", key="l")])
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(
            "UPDATE bookings.idempotency SET decided_at = now() - interval '25 hours'"
        )
    await booked(reservations, [seat(1, "ada", key="k")])
    assert await inventory.forget_keys() is False
    with psycopg.connect(database.owner_dsn) as connection:
        assert connection.execute("SELECT key FROM bookings.idempotency").fetchall() == [("k",)]


@pytest.mark.parametrize("hidden", [{"deleted": True}, {"status": "DRAFT"}])
async def test_a_key_does_not_tell_a_hidden_event_from_none(
    inventory: Inventory, reservations: Reservations, hidden: dict[str, Any]
) -> None:
    """A stored response would reveal that a draft or a deleted event exists."""
    await inventory.apply(concert(1, **hidden))
    for event_id in (1, 2):
        for user in ("ada", "ada", "bob"):
            [outcome] = await reservations.decide([seat(event_id, user, key=f"key {event_id}")])
            assert isinstance(outcome, EventNotFound)
            assert outcome.metadata == {}
