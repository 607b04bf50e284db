import asyncio

import pytest

from services.kit.concurrency.single_flight import SingleFlight
from services.kit.rpc import context


class Work:
    """Waits until the test releases it; then returns which run this was, or fails."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.deadlines: list[float] = []
        self.released = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, key: str) -> int:
        """Does the work for a key."""
        self.started.append(key)
        number = len(self.started)
        self.deadlines.append(context.remaining_seconds(60))
        await self.released.wait()
        if self.error:
            raise self.error
        return number


async def test_callers_at_once_share_one_run_for_each_key() -> None:
    """A crowd that wants one thing must not ask for it a thousand times."""
    work = Work()
    flight = SingleFlight(work)
    callers = [asyncio.create_task(flight(key)) for key in ("a", "a", "b")]
    await asyncio.sleep(0)
    assert "a" in flight
    work.released.set()
    assert await asyncio.gather(*callers) == [1, 1, 2]
    assert work.started == ["a", "b"]


async def test_a_result_is_not_kept() -> None:
    """A caller who comes after the end must not get an answer that is out of date."""
    work = Work()
    work.released.set()
    flight = SingleFlight(work)
    assert [await flight("a"), await flight("a")] == [1, 2]
    assert "a" not in flight


async def test_a_failure_reaches_all_callers_and_is_not_kept() -> None:
    """One error must neither leave a caller waiting nor stay for ever."""
    work = Work()
    work.error = LookupError()
    work.released.set()
    flight = SingleFlight(work)
    failed = await asyncio.gather(flight("a"), flight("a"), return_exceptions=True)
    assert [type(error) for error in failed] == [LookupError, LookupError]
    work.error = None
    assert await flight("a") == 2


async def test_a_cancelled_caller_leaves_the_run_to_the_others() -> None:
    """The caller who happened to start the work must not end it for those who joined."""
    work = Work()
    flight = SingleFlight(work)
    first, second = asyncio.create_task(flight("a")), asyncio.create_task(flight("a"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.released.set()
    assert await second == 1


async def test_the_run_has_not_the_deadline_of_its_first_caller() -> None:
    """A caller in a hurry must not shorten the work for those who have time."""
    work = Work()
    work.released.set()
    context.set_deadline(1)
    await SingleFlight(work)("a")
    assert work.deadlines == [60]
