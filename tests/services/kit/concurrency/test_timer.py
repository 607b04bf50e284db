"""A deadline that is moved for each request."""

import asyncio

from services.kit.concurrency.timer import Deadline


async def passed(deadline: Deadline, event: asyncio.Event, *, seconds: float) -> bool:
    """Waits for a deadline, and tells whether it passed."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    finally:
        deadline.close()
    return True


async def test_time_passes() -> None:
    """Not before it should."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, event.set)
    started = loop.time()
    deadline.set(0.05)
    assert await passed(deadline, event, seconds=5)
    assert loop.time() >= started + 0.05


async def test_what_was_moved_away_passes_when_it_says_now() -> None:
    """Its timer, which still ticks for the old time, is no more than a reminder."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, event.set)
    started = loop.time()
    deadline.set(0.01)
    deadline.set(0.1)
    assert await passed(deadline, event, seconds=5)
    assert loop.time() >= started + 0.1


async def test_what_was_brought_forward_does_not_wait_for_its_timer() -> None:
    """A body has less time than an idle connection."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.set(60)
    deadline.set(0.01)
    assert await passed(deadline, event, seconds=5)


async def test_what_was_cleared_never_passes() -> None:
    """Until it is set again."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.set(0.01)
    deadline.clear()
    assert not await passed(deadline, event, seconds=0.05)


async def test_what_passes_earlier_is_not_brought_forward() -> None:
    """The earliest of many counts."""
    event = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), event.set)
    deadline.bring_forward(60)
    deadline.bring_forward(0.01)
    deadline.bring_forward(60)
    assert await passed(deadline, event, seconds=5)
