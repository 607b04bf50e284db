import asyncio
from uuid import UUID

import pytest

from services.bookings.payments.provider import Status
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import ScriptedProvider
from tests.services.conditions import until_blocked

WORKERS = 4


async def state(desk: Desk, refund_id: UUID) -> tuple[object, ...]:
    """Returns status, reference and attempts of a refund."""
    [found] = await desk.read(
        f"SELECT status, provider_reference, attempts FROM refunds WHERE id = '{refund_id}'"
    )
    return found


async def test_a_refund_is_paid_back_once(desk: Desk, provider: ScriptedProvider) -> None:
    """Money could be paid back twice by several replicas, or never."""
    refunds = [await desk.refund() for _ in range(WORKERS)]
    provider.gate.clear()
    before = provider.waiting
    work = [asyncio.create_task(desk.refunds.pay_back()) for _ in range(2 * WORKERS)]
    await provider.until_waiting(before + WORKERS)
    provider.gate.set()
    assert sorted(await asyncio.gather(*work)) == [False] * WORKERS + [True] * WORKERS
    for refund in refunds:
        assert provider.asked["refund", refund] == 1
        assert await state(desk, refund) == ("REFUNDED", f"ref-{refund}", 1)


async def test_a_refund_that_another_worker_takes_is_passed_over(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """Two workers that take a refund at the same moment could both send it."""
    refund = await desk.refund()
    async with desk.taken_elsewhere("refunds"):
        assert not await desk.refunds.pay_back()
    assert not provider.asked["refund", refund]


async def test_a_refund_whose_lease_ends_at_the_same_moment_is_settled(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A refund could stay due, and be counted twice, because another worker leased it again."""
    refund = await desk.refund(400)
    provider.gate.clear()
    before = provider.waiting
    paying_back = asyncio.create_task(desk.refunds.pay_back())
    await provider.until_waiting(before + 1)
    async with desk.leased_elsewhere("refunds") as connection:
        provider.gate.set()
        await until_blocked(connection, 1)
    await paying_back
    assert (await state(desk, refund))[0] == "REFUNDED"


@pytest.mark.parametrize("answer", [None, Status.PENDING])
async def test_a_refund_without_an_answer_is_tried_again(
    desk: Desk, provider: ScriptedProvider, answer: Status | None
) -> None:
    """A refund could be forgotten because the provider was down."""
    refund = await desk.refund(400)
    provider.refunded = answer
    assert await desk.refunds.pay_back()
    assert not await desk.refunds.pay_back(), "the next attempt comes after a pause"
    assert await state(desk, refund) == ("DUE", None, 1)
    provider.refunded = Status.SUCCEEDED
    await desk.make_due()
    assert await desk.refunds.pay_back()
    assert await state(desk, refund) == ("REFUNDED", f"ref-{refund}", 2)


async def test_a_refund_that_the_provider_refuses_is_kept(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """Nobody could learn that somebody has to pay money back in another way."""
    refund = await desk.refund()
    provider.refunded = Status.FAILED
    assert await desk.refunds.pay_back()
    assert (await state(desk, refund))[0] == "FAILED"
    assert not await desk.refunds.pay_back()
