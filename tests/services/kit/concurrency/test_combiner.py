import asyncio
from collections.abc import Sequence

import pytest

from services.kit.concurrency.combiner import Combiner
from services.kit.rpc.errors import Unavailable


class Sender:
    """Notes each batch and answers it, tenfold, when the test lets it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.arrived = asyncio.Semaphore(0)
        self.may_answer = asyncio.Semaphore(0)

    async def send(self, items: Sequence[int]) -> Sequence[int]:
        """Sends a batch; 13 fails the whole batch."""
        self.batches.append(list(items))
        self.arrived.release()
        await self.may_answer.acquire()
        if 13 in items:
            raise LookupError("batch lost")
        return [item * 10 for item in items]


def ask(combiner: Combiner[int, int], *items: int) -> list["asyncio.Task[int]"]:
    """Lets callers ask side by side."""
    return [asyncio.create_task(combiner.ask(item, timeout_seconds=5)) for item in items]


async def test_what_arrives_while_a_batch_is_away_shares_the_next() -> None:
    """Nobody waits for a timer: the first leave at once, the others as soon as those are back."""
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


async def test_a_batch_has_its_bound() -> None:
    """What does not fit leaves with the next batch, in its order."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    combiner = Combiner(sender.send, at_once=2, waiting=100)
    assert await asyncio.gather(*ask(combiner, 1, 2, 3, 4, 5)) == [10, 20, 30, 40, 50]
    assert sender.batches == [[1, 2], [3, 4], [5]]


async def test_half_of_all_stay_behind() -> None:
    """So there is always something to do on both sides; few are not worth two batches."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    combiner = Combiner(sender.send, at_once=10, waiting=100, whole=2)
    await asyncio.gather(*ask(combiner, *range(9)))
    assert sender.batches == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    await asyncio.gather(*ask(combiner, 1, 2))
    assert sender.batches[2:] == [[1, 2]]


async def test_the_next_batch_leaves_before_answers_are_told() -> None:
    """The service has work again by then; telling takes longer than sending."""
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
    """A queue that is full tells so, instead of letting callers wait past their deadline."""
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


async def test_a_lost_batch_is_lost_for_all_in_it_and_nobody_else() -> None:
    """The next batch leaves as if nothing had been."""
    sender = Sender()
    sender.may_answer = asyncio.Semaphore(100)
    lost, lost_too, fine = ask(Combiner(sender.send, at_once=2, waiting=5), 13, 1, 2)
    for asked in (lost, lost_too):
        with pytest.raises(LookupError):
            await asked
    assert await fine == 20


async def test_who_leaves_the_queue_is_not_sent() -> None:
    """A caller that hung up while waiting takes its item along."""
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


async def test_who_leaves_while_away_does_not_take_the_batch_along() -> None:
    """Its item is done all the same, and so are the others."""
    sender = Sender()
    leaving, staying = ask(Combiner(sender.send, at_once=10, waiting=100), 1, 2)
    await sender.arrived.acquire()
    leaving.cancel()
    sender.may_answer.release()
    assert await staying == 20
    assert sender.batches == [[1, 2]]


async def test_time_is_up_for_each_by_itself() -> None:
    """What was sent may have been done; what still waited certainly was not."""
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


async def test_who_waits_for_what_was_given_up_does_not_wait_for_ever() -> None:
    """As when the channel is closed under a batch that is away."""

    async def send(items: Sequence[int]) -> Sequence[int]:
        raise asyncio.CancelledError

    combiner = Combiner(send, at_once=10, waiting=100)
    [asked] = ask(combiner, 1)
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert combiner.is_idle
