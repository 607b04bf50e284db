import asyncio

import pytest
from structlog.testing import capture_logs

from services.bookings.inventory import Inventory
from services.bookings.payments.provider import Status
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import ScriptedProvider

WORKERS = 6


async def test_workers_ask_about_different_attempts(desk: Desk, provider: ScriptedProvider) -> None:
    """Several replicas could ask the provider about one payment at once, for each payment."""
    payments = [await desk.begin() for _ in range(WORKERS)]
    await desk.make_due()
    provider.gate.clear()
    looks = [asyncio.create_task(desk.looks.look()) for _ in range(2 * WORKERS)]
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
        assert not await desk.looks.look()
    assert not provider.asked


@pytest.mark.parametrize(("age", "status"), [("29 minutes", "CREATED"), ("31 minutes", "FAILED")])
async def test_a_pending_charge_is_cancelled_after_its_time(
    desk: Desk, provider: ScriptedProvider, age: str, status: str
) -> None:
    """An attempt that nobody finishes could keep others from paying for ever."""
    payment = await desk.begin()
    provider.charged = Status.PENDING
    await desk.make_due(age=age)
    assert await desk.looks.look()
    assert await desk.status(payment) == status
    assert provider.asked["cancel", payment] == (status == "FAILED")


async def test_a_provider_that_does_not_answer_is_asked_again(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """An outage of the provider could fail payments of which the money was taken."""
    payment = await desk.begin()
    provider.charged = None
    await desk.make_due(age="31 minutes")
    assert await desk.looks.look()
    assert not await desk.looks.look(), "the next look comes after a pause"
    assert await desk.status(payment) == "CREATED"
    provider.charged = Status.SUCCEEDED
    await desk.make_due()
    assert await desk.looks.look()
    assert await desk.status(payment) == "SUCCEEDED"


async def test_a_provider_that_hangs_holds_up_no_other(
    desk: Desk,
    provider: ScriptedProvider,
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
) -> None:
    """While one provider is down, nobody could pay at another one, or get money back from it."""
    other = ScriptedProvider("other")
    beside = Desk(pool, inventory, reservations, other)
    await desk.refund()
    await desk.begin()
    await desk.make_due()
    provider.gate.clear()
    before = provider.waiting
    hanging = [asyncio.create_task(work()) for work in (desk.looks.look, desk.refunds.pay_back)]
    await provider.until_waiting(before + 2)
    # Those of the provider that hangs are due again, and first.
    await desk.make_due()
    refund, payment = await beside.refund(), await beside.begin()
    await desk.read("UPDATE payments SET next_look_at = now() WHERE provider = 'other'")
    assert await beside.refunds.pay_back()
    assert await beside.looks.look()
    assert await beside.status(payment) == "SUCCEEDED"
    assert other.asked["refund", refund] == 1
    provider.gate.set()
    assert await asyncio.gather(*hanging) == [True, True]


async def test_what_a_provider_owes_that_is_no_longer_configured_is_an_error(
    desk: Desk, pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """Payments and refunds could wait for ever because somebody took their provider away."""
    await desk.refund()
    await desk.begin()
    with capture_logs() as logs:
        assert not await desk.backlog.measure()
        assert logs == []
        await Desk(pool, inventory, reservations, ScriptedProvider("other")).backlog.measure()
    assert [(line["log_level"], line["provider"]) for line in logs] == [("error", "scripted")] * 2
