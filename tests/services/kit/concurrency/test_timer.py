"""A deadline that is moved for each request."""

import asyncio

from services.kit.concurrency.timer import Deadline


async def passed(deadline: Deadline, event: asyncio.Event, *, seconds: float) -> bool:
    """Waits for a deadline; returns whether it passed."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    finally:
        deadline.close()
    return True


async def test_a_deadline_passes_in_time() -> None:
    """A deadline could pass too early, or never."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, event.set)
    started = loop.time()
    deadline.set(0.05)
    assert await passed(deadline, event, seconds=5)
    assert loop.time() >= started + 0.05


async def test_a_deadline_that_is_moved_later_passes_later() -> None:
    """The timer of the former deadline could end the wait."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, event.set)
    started = loop.time()
    deadline.set(0.01)
    deadline.set(0.1)
    assert await passed(deadline, event, seconds=5)
    assert loop.time() >= started + 0.1


async def test_a_deadline_that_is_moved_earlier_passes_earlier() -> None:
    """A deadline that is moved closer could wait for the former timer."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.set(60)
    deadline.set(0.01)
    assert await passed(deadline, event, seconds=5)


async def test_a_cleared_deadline_does_not_pass() -> None:
    """A request that is finished could be timed out all the same."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.set(0.01)
    deadline.clear()
    assert not await passed(deadline, event, seconds=0.05)


async def test_bringing_forward_keeps_the_earliest_deadline() -> None:
    """A later deadline could replace an earlier one."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.bring_forward(60)
    deadline.bring_forward(0.01)
    deadline.bring_forward(60)
    assert await passed(deadline, event, seconds=5)
