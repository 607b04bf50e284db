import asyncio

from services.bookings.payments.attempts import Settlement
from services.bookings.payments.provider import NEVER_CHARGED, Status
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import ScriptedProvider
from tests.services.conditions import until_blocked


async def test_a_client_that_stops_waiting_leaves_its_attempt_to_the_worker(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """Money could be taken from somebody who never gets a ticket."""
    payment = await desk.begin()
    provider.gate.clear()
    call = asyncio.create_task(desk.start(payment))
    await provider.until_waiting(1)
    call.cancel()
    assert await desk.status(payment) == "CREATED"
    assert not await desk.looks.look(), "it is asked about after a while only"
    provider.gate.set()
    await desk.make_due()
    assert await desk.looks.look()
    assert await desk.status(payment) == "SUCCEEDED"


async def test_an_attempt_is_finished_by_whoever_repeats_it(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A client whose first request was cut off could never pay, or pay twice."""
    payment = await desk.begin()
    provider.charged = None
    assert not (await desk.start(payment)).is_answered
    assert await desk.status(payment) == "CREATED"
    provider.charged = Status.SUCCEEDED
    await asyncio.gather(*(desk.start(payment) for _ in range(3)))
    assert await desk.status(payment) == "SUCCEEDED"
    settled = provider.asked["start", payment]
    await desk.start(payment)
    assert provider.asked["start", payment] == settled, "what is settled is not asked for"


async def test_a_payment_that_is_leased_at_the_same_moment_is_settled(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A booking could be confirmed while its payment stays under way, because its row has moved."""
    payment = await desk.begin()
    async with desk.leased_elsewhere("payments") as connection:
        settling = asyncio.create_task(desk.start(payment))
        await until_blocked(connection, 1)
    await settling
    assert await desk.status(payment) == "SUCCEEDED"


async def test_a_charge_that_is_named_at_the_same_moment_is_not_given_up(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A payer could be sent to a page whose payment has failed, and its name be forgotten."""
    payment = await desk.begin()
    attempt = await desk.find(payment)
    async with desk.leased_elsewhere("payments") as connection:
        settling = asyncio.create_task(desk.attempts.settle([Settlement(attempt, NEVER_CHARGED)]))
        await until_blocked(connection, 1)
        await connection.execute("UPDATE payments SET provider_reference = 'named'")
    await settling
    attempt = await desk.find(payment)
    assert (attempt.status, attempt.provider_reference) == ("CREATED", "named")


async def test_a_pending_charge_is_known_by_its_reference(
    desk: Desk, provider: ScriptedProvider
) -> None:
    """A charge could not be found at a provider that knows it by its own name only."""
    payment = await desk.begin()
    provider.charged = Status.PENDING
    await desk.start(payment)
    found = await desk.find(payment)
    assert found.provider_reference == f"ref-{payment}"
