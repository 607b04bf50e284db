import asyncio

import psycopg
import pytest

from services.bookings.errors import QueueRequired
from services.bookings.inventory import Ask, Inventory, reserving
from services.bookings.inventory.commands import Book, Cancel
from services.bookings.inventory.queue_commands import QueueSettings, SetQueue
from services.bookings.reservations.reservations import reserve
from tests.conftest import Database
from tests.services.bookings.asking import GUEST, seat_by_key, summaries
from tests.services.bookings.conftest import concert, drift
from tests.services.bookings.queue.conftest import SEED, Waiting
from tests.services.conditions import until_blocked
from tests.services.issuer import account

ACCOUNT = account("ada")


async def admitted(line: Waiting, *users: str) -> list[str]:
    """Opens the queue and admits users; returns their tokens."""
    await line.open(rate_per_minute=60_000)
    tokens = [joined.token for joined in await line.join(*users)]
    await line.admissions.admit()
    return tokens


async def test_only_the_admitted_book_and_each_once(line: Waiting, database: Database) -> None:
    """People would pass the queue without a token, with another's, or again and again."""
    ada, bob, _ = await admitted(line, "ada", "bob", ACCOUNT)
    for user, token in (("ada", ""), ("ada", bob), ("kim", ada), ("ada", "x")):
        refusal = await line.buy(user, token)
        assert refusal.reason == "QUEUE_REQUIRED"
        assert refusal.metadata["queue"] == "/api/queue/1"
    assert (await line.buy("ada", ada)).rev == 2
    assert await line.state(ada) == "DONE"
    assert (await line.buy(ACCOUNT)).rev == 3, "an account is known without a token"
    assert (await line.buy("ada", ada)).reason == "ALREADY_BOOKED"
    await line.inventory.apply(concert(1, 1_000, rev=2))
    assert await line.state(bob) == "ADMITTED"
    await line.open(enabled=False)
    assert (await line.buy("kim")).rev == 4
    assert drift(database) == []


async def test_an_admission_books_one_party_of_a_batch(line: Waiting) -> None:
    """One admission would be used by many requests at once."""
    [token] = await admitted(line, "ada")
    asks = [Ask(Book(1, "ada", queue_token=token)) for _ in range(2)]
    await line.inventory.apply(concert(1, 1_000, rev=2, one_booking_per_user=False))
    assert summaries(await line.inventory.decide(asks)) == ["BOOKED", "QUEUE_REQUIRED"]


async def test_a_refusal_by_the_queue_is_not_kept_under_a_key(line: Waiting) -> None:
    """Who repeats a request once admitted would be refused for a day."""
    await line.open(rate_per_minute=60_000)
    [joined] = await line.join("ada")

    async def ask() -> object:
        asked = reserve(1, "ada", GUEST, "key", joined.token)
        return summaries(await line.reservations.decide([asked]))

    assert await ask() == ["QUEUE_REQUIRED"]
    await line.admissions.admit()
    assert await ask() == ["BOOKED"]


async def test_the_admitted_get_seats_that_come_free(line: Waiting) -> None:
    """A refusal without a lock would not know who is admitted."""
    await line.inventory.apply(concert(1, 1))
    booking = (await line.buy("first")).booking
    assert (await line.buy("second")).reason == "SOLD_OUT"
    [token] = await admitted(line, "ada")
    await line.inventory.decide([Ask(Cancel(1, booking.id))])
    assert (await line.buy("ada", token)).booking.user_id == "ada"


async def test_the_waiting_list_is_served_beside_the_queue(line: Waiting) -> None:
    """Who has waited for a seat would have to wait again, and the seat stay free."""
    await line.inventory.apply(concert(1, 1))
    booking = (await line.buy("first")).booking
    await line.reservations.decide([seat_by_key(1, "waiter")])
    await line.open()
    assert summaries(await line.reservations.decide([seat_by_key(1, "late")])) == ["QUEUE_REQUIRED"]
    await line.inventory.decide([Ask(Cancel(1, booking.id))])
    assert await line.rows("SELECT user_id FROM bookings WHERE status = 'CONFIRMED'") == [
        ("waiter",)
    ]


@pytest.mark.parametrize("is_right", [True, False])
async def test_nobody_slips_in_while_the_queue_is_switched_on(
    line: Waiting, database: Database, monkeypatch: pytest.MonkeyPatch, is_right: bool
) -> None:
    """A check before the transaction would let in who waits for the event's lock meanwhile."""
    await line.inventory.apply(concert(1, 10))

    async def buy() -> object:
        if is_right:
            return await line.buy("ada")
        [(since,)] = await line.rows("SELECT queue_since FROM inventory")
        monkeypatch.setattr(reserving, "_is_admitted", lambda *_: True)
        return QueueRequired() if since else await line.buy("ada")

    async with (
        await psycopg.AsyncConnection.connect(database.owner_dsn) as gate,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watch,
    ):
        await gate.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        command = SetQueue(1, True, QueueSettings(SEED), GUEST)
        setting = asyncio.create_task(Inventory(line.pool).decide([Ask(command)]))
        await until_blocked(watch, 1)
        buying = asyncio.create_task(buy())
        await until_blocked(watch, 2)
        await gate.commit()
        await setting
        assert isinstance(await buying, QueueRequired) is is_right
