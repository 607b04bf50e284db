import asyncio
from collections.abc import Sequence

import pytest

from services.kit.concurrency.combiner import Combiner
from services.kit.rpc.errors import Unavailable


class Sender:
    """Records each batch, and multiplies its items by ten once the test releases it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.arrived = asyncio.Semaphore(0)
        self.may_answer = asyncio.Semaphore(0)

    async def send(self, items: Sequence[int]) -> Sequence[int]:
        """Returns the results of a batch; the item 13 fails the whole batch."""
        self.batches.append(list(items))
        self.arrived.release()
        await self.may_answer.acquire()
        if 13 in items:
            raise LookupError("batch lost")
        return [item * 10 for item in items]


def ask(combiner: Combiner[int, int], *items: int) -> list["asyncio.Task[int]"]:
    """Starts a caller for each item."""
    return [asyncio.create_task(combiner.ask(item, timeout_seconds=5)) for item in items]


async def test_items_that_arrive_during_a_batch_share_the_next() -> None:
    """An item could wait for a timer, or be sent alone on a busy service."""
    sender = Sender()
    combiner = Combiner(sender.send, at_once=10, waiting=100)
    first = ask(combiner, 1, 2)
    await sender.arrived.acquire()
    second = ask(combiner, 3, 4, 5)
    sender.may_answer.release()
    sender.may_answer.release()
    assert await asyncio.gather(*first, *second) == [10, 20, 30, 40, 50]
    assert sender.batches == [[1, 2], [3, 4, 5]]
    assert combiner.is_idle


async def test_a_batch_has_a_maximum_size() -> None:
    """A batch could exceed its limit, or items overtake each other."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    combiner = Combiner(sender.send, at_once=2, waiting=100)
    assert await asyncio.gather(*ask(combiner, 1, 2, 3, 4, 5)) == [10, 20, 30, 40, 50]
    assert sender.batches == [[1, 2], [3, 4], [5]]


async def test_a_batch_takes_half_of_all_callers() -> None:
    """Client and service could wait for each other in turn, or a few items be split."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    combiner = Combiner(sender.send, at_once=10, waiting=100, whole=2)
    await asyncio.gather(*ask(combiner, *range(9)))
    assert sender.batches == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    await asyncio.gather(*ask(combiner, 1, 2))
    assert sender.batches[2:] == [[1, 2]]


async def test_the_next_batch_is_sent_before_results_are_delivered() -> None:
    """The service could be idle while the results of the former batch are delivered."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)

    async def send(items: Sequence[int]) -> Sequence[int]:
        # As gRPC does: a call begins in a task of its own.
        return await asyncio.create_task(sender.send(items))

    combiner = Combiner(send, at_once=1, waiting=100)
    seen = []

    async def note(item: int) -> None:
        await combiner.ask(item, timeout_seconds=5)
        seen.append(list(sender.batches))

    await asyncio.gather(note(1), note(2))
    assert seen == [[[1], [2]], [[1], [2]]]


async def test_too_many_are_refused_at_once() -> None:
    """A full queue could keep callers waiting past their deadline."""
    sender = Sender()
    combiner = Combiner(sender.send, at_once=2, waiting=3)
    asked = ask(combiner, 1, 2, 3)
    await sender.arrived.acquire()
    asked += ask(combiner, 4, 5)
    with pytest.raises(Unavailable):
        await ask(combiner, 6)[0]
    for _ in range(3):
        sender.may_answer.release()
    assert await asyncio.gather(*asked) == [10, 20, 30, 40, 50]


async def test_a_failed_batch_fails_its_own_items_only() -> None:
    """A failed batch could fail or block the next one, or leave its own callers waiting."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    lost, lost_too, fine = ask(Combiner(sender.send, at_once=2, waiting=5), 13, 1, 2)
    for asked in (lost, lost_too):
        with pytest.raises(LookupError):
            await asked
    assert await fine == 20


async def test_a_cancelled_item_is_not_sent() -> None:
    """An item could be sent although its caller gave up while it waited."""
    sender = Sender()
    combiner = Combiner(sender.send, at_once=10, waiting=100)
    first = ask(combiner, 1)
    await sender.arrived.acquire()
    leaving, staying = ask(combiner, 2, 3)
    await asyncio.sleep(0)
    leaving.cancel()
    sender.may_answer.release()
    sender.may_answer.release()
    assert await asyncio.gather(*first, staying) == [10, 30]
    assert sender.batches == [[1], [3]]


async def test_cancelling_a_sent_item_keeps_its_batch() -> None:
    """One caller that gives up could cancel the whole batch."""
    sender = Sender()
    leaving, staying = ask(Combiner(sender.send, at_once=10, waiting=100), 1, 2)
    await sender.arrived.acquire()
    leaving.cancel()
    sender.may_answer.release()
    assert await staying == 20
    assert sender.batches == [[1, 2]]


async def test_each_item_has_its_own_timeout() -> None:
    """An item that was sent, and may be done, could be reported as certainly not done."""
    sender = Sender()
    combiner = Combiner(sender.send, at_once=1, waiting=100)
    sent = asyncio.create_task(combiner.ask(1, timeout_seconds=0.05))
    waits = asyncio.create_task(combiner.ask(2, timeout_seconds=0.05))
    patient = asyncio.create_task(combiner.ask(3, timeout_seconds=5))
    with pytest.raises(TimeoutError):
        await sent
    with pytest.raises(Unavailable):
        await waits
    sender.may_answer.release()
    sender.may_answer.release()
    assert await patient == 30
    assert sender.batches == [[1], [3]]


async def test_a_cancelled_batch_cancels_its_callers() -> None:
    """Callers could wait for ever for a batch whose channel was closed."""

    async def send(items: Sequence[int]) -> Sequence[int]:
        raise asyncio.CancelledError

    combiner = Combiner(send, at_once=10, waiting=100)
    [asked] = ask(combiner, 1)
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert combiner.is_idle
