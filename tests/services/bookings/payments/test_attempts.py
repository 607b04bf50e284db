import asyncio

import pytest

from services.bookings.payments.provider import NEVER_CHARGED, Status
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import ScriptedProvider
from tests.services.conditions import until_blocked

WORKERS = 6


async def test_a_client_that_stops_waiting_leaves_its_attempt_to_the_worker(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """Money could be taken from somebody who never gets a ticket."""
    payment = await desk.begin()
    provider.gate.clear()
    call = asyncio.create_task(desk.attempts.start(payment, ""))
    await provider.until_waiting(1)
    call.cancel()
    assert await desk.status(payment) == "CREATED"
    assert not await desk.attempts.look(), "it is asked about after a while only"
    provider.gate.set()
    await desk.make_due()
    assert await desk.attempts.look()
    assert await desk.status(payment) == "SUCCEEDED"


async def test_an_attempt_is_finished_by_whoever_repeats_it(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A client whose first request was cut off could never pay, or pay twice."""
    payment = await desk.begin()
    provider.charged = None
    assert await desk.attempts.start(payment, "") is None
    assert await desk.status(payment) == "CREATED"
    provider.charged = Status.SUCCEEDED
    await asyncio.gather(*(desk.attempts.start(payment, "") for _ in range(3)))
    assert await desk.status(payment) == "SUCCEEDED"
    settled = provider.asked["start", payment]
    await desk.attempts.start(payment, "")
    assert provider.asked["start", payment] == settled, "what is settled is not asked for"


async def test_workers_ask_about_different_attempts(desk: Desk, provider: ScriptedProvider) -> None:
    """Several replicas could ask the provider about one payment at once, for each payment."""
    payments = [await desk.begin() for _ in range(WORKERS)]
    await desk.make_due()
    provider.gate.clear()
    looks = [asyncio.create_task(desk.attempts.look()) for _ in range(2 * WORKERS)]
    await provider.until_waiting(WORKERS)
    provider.gate.set()
    assert sorted(await asyncio.gather(*looks)) == [False] * WORKERS + [True] * WORKERS
    assert provider.asked == {("look_up", payment): 1 for payment in payments}


async def test_an_attempt_that_another_worker_takes_is_passed_over(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """Two workers that take an attempt at the same moment could both ask about it."""
    await desk.begin()
    await desk.make_due()
    async with desk.taken_elsewhere("payments"):
        assert not await desk.attempts.look()
    assert not provider.asked


async def test_a_payment_that_is_leased_at_the_same_moment_is_settled(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A booking could be confirmed while its payment stays under way, because its row has moved."""
    payment = await desk.begin()
    async with desk.leased_elsewhere("payments") as connection:
        settling = asyncio.create_task(desk.attempts.start(payment, ""))
        await until_blocked(connection, 1)
    await settling
    assert await desk.status(payment) == "SUCCEEDED"


async def test_a_charge_that_is_named_at_the_same_moment_is_not_given_up(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A payer could be sent to a page whose payment has failed, and its name be forgotten."""
    payment = await desk.begin()
    attempt = await desk.attempts.find(payment)
    assert attempt
    async with desk.leased_elsewhere("payments") as connection:
        settling = asyncio.create_task(desk.attempts.settle(attempt, NEVER_CHARGED))
        await until_blocked(connection, 1)
        await connection.execute("UPDATE payments SET provider_reference = 'named'")
    await settling
    attempt = await desk.attempts.find(payment)
    assert attempt
    assert (attempt.status, attempt.provider_reference) == ("CREATED", "named")


@pytest.mark.parametrize(("age", "status"), [("29 minutes", "CREATED"), ("31 minutes", "FAILED")])
async def test_a_pending_charge_is_cancelled_after_its_time(
    desk: Desk, provider: ScriptedProvider, age: str, status: str
) -> None:
    """An attempt that nobody finishes could keep others from paying for ever."""
    payment = await desk.begin()
    provider.charged = Status.PENDING
    await desk.make_due(age=age)
    assert await desk.attempts.look()
    assert await desk.status(payment) == status
    assert provider.asked["cancel", payment] == (status == "FAILED")


async def test_a_provider_that_does_not_answer_is_asked_again(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """An outage of the provider could fail payments of which the money was taken."""
    payment = await desk.begin()
    provider.charged = None
    await desk.make_due(age="31 minutes")
    assert await desk.attempts.look()
    assert not await desk.attempts.look(), "the next look comes after a pause"
    assert await desk.status(payment) == "CREATED"
    provider.charged = Status.SUCCEEDED
    await desk.make_due()
    assert await desk.attempts.look()
    assert await desk.status(payment) == "SUCCEEDED"


async def test_a_pending_charge_is_known_by_its_reference(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A charge could not be found at a provider that knows it by its own name only."""
    payment = await desk.begin()
    provider.charged = Status.PENDING
    await desk.attempts.start(payment, "")
    found = await desk.attempts.find(payment)
    assert found
    assert found.provider_reference == f"ref-{payment}"
