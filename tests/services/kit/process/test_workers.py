import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from structlog.testing import capture_logs

from services.kit.process import metrics
from services.kit.process.workers import repeat, running
from services.kit.rpc.errors import Unavailable
from tests.services.conditions import until

SOON, NEVER = 0.0, 3600.0


class Work:
    """Takes one scripted step at each run, and then waits to be cancelled."""

    def __init__(self, *steps: bool | Exception) -> None:
        self._steps = list(steps)
        self.done = asyncio.Event()

    async def is_done(self) -> bool:
        """Returns whether all steps are done."""
        return not self._steps

    async def step(self) -> bool:
        """Takes the next step."""
        if not self._steps:
            self.done.set()
            await asyncio.Event().wait()
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@contextlib.asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[bool]], every_seconds: float, rest: float = 0
) -> AsyncIterator["asyncio.Task[None]"]:
    """Repeats work while the block runs."""
    task = asyncio.create_task(repeat(work, every_seconds=every_seconds, rest=rest))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_work_is_repeated_at_once_while_there_is_more() -> None:
    """A backlog could be worked off at one chunk for each pause."""
    work = Work(True, True, True)
    async with repeating(work.step, NEVER):
        await asyncio.wait_for(work.done.wait(), 5)


async def test_work_pauses_when_there_is_no_more() -> None:
    """An idle worker could keep the database busy."""
    work = Work(True, False)
    async with repeating(work.step, NEVER):
        await until(work.is_done)
        assert not work.done.is_set()


async def test_work_rests_in_proportion_to_the_time_that_it_took() -> None:
    """Work that takes a processor could leave nothing of it to requests."""
    work = Work(True)
    async with repeating(work.step, SOON, rest=1e9):
        await until(work.is_done)
        assert not work.done.is_set()


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection"),
        PoolTimeout("no connection"),
        psycopg.errors.ReadOnlySqlTransaction("a standby"),
        psycopg.errors.DeadlockDetected("deadlock"),
        Unavailable(),
    ],
)
async def test_a_worker_waits_for_its_database(error: Exception) -> None:
    """An outage of the database could end a worker, or be counted as a defect."""
    work = Work(error, False)
    with capture_logs() as logs:
        async with repeating(work.step, SOON):
            await asyncio.wait_for(work.done.wait(), 5)
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize("error", [ValueError("odd"), psycopg.errors.CheckViolation("odd")])
async def test_a_defect_is_logged_and_counted_and_the_worker_goes_on(error: Exception) -> None:
    """One row that a worker cannot process could end the worker for all others."""
    work = Work(error, False)
    counter = metrics.WORKER_FAILURES.labels("Work.step")
    before = counter._value.get()
    with capture_logs() as logs:
        async with repeating(work.step, SOON):
            await asyncio.wait_for(work.done.wait(), 5)
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [("worker failed", True)]
    assert counter._value.get() == before + 1


async def test_a_worker_can_be_cancelled() -> None:
    """A cancellation could be taken for a failure, so that the worker goes on."""
    work = Work()
    async with repeating(work.step, SOON) as task:
        await asyncio.wait_for(work.done.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_workers_end_with_the_block() -> None:
    """A worker could go on after its process has stopped serving."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(work()):
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_a_worker_that_loses_a_cancellation_is_cancelled_again() -> None:
    """A process could never end, since Python 3.11 can lose a cancellation in `wait_for`."""
    lost: list[int] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(1)

    async with asyncio.timeout(5), running(work()):
        await asyncio.sleep(0)
    assert lost == [1]


async def test_a_worker_that_fails_ends_the_block() -> None:
    """A process that has lost a worker could go on and look healthy."""

    async def fail() -> None:
        raise ValueError

    with pytest.raises(ExceptionGroup) as failure:
        async with running(fail()):
            await asyncio.Event().wait()
    assert failure.group_contains(ValueError)
