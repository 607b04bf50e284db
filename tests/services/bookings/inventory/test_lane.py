"""The lane over scripted transactions, without database and clock."""

import asyncio

import psycopg
import pytest

from services.bookings.errors import SoldOut
from services.bookings.inventory.commands import (
    Book,
    Done,
    Outcome,
    Replayed,
    Reserve,
)
from services.bookings.inventory.lane import BATCH_SIZE, Lane
from services.bookings.inventory.transaction import Ask
from services.kit.rpc.errors import Busy, Internal, OutcomeUnknown, Unavailable
from tests.services.bookings.inventory.scripted_transactions import DONE, Scripted


def ask(user: str, event_id: int = 1) -> Ask:
    """Makes an ask for a seat."""
    return Ask(Book(event_id, user))


@pytest.fixture
def scripted() -> Scripted:
    """Returns transactions that succeed."""
    return Scripted()


@pytest.fixture
def lane(scripted: Scripted) -> Lane:
    """Returns a lane with small transactions."""
    return Lane(scripted, batch_size=4, queue_size=12)


async def crowd(
    lane: Lane, scripted: Scripted, *users: str, event_id: int = 1
) -> list[asyncio.Task[list[Outcome]]]:
    """Starts a transaction, and queues asks of several users while it is held up."""
    scripted.free.clear()
    tasks = [asyncio.create_task(lane.decide([ask("first", event_id)]))]
    await scripted.until_begun(1)
    tasks += [asyncio.create_task(lane.decide([ask(user, event_id)])) for user in users]
    await asyncio.sleep(0)
    return tasks


async def test_asks_that_arrive_meanwhile_share_the_next_transaction(
    lane: Lane, scripted: Scripted
) -> None:
    """Each ask would need its own transaction, so disk flushes would limit the throughput."""
    tasks = await crowd(lane, scripted, "a", "b", "c")
    scripted.free.set()
    assert await asyncio.gather(*tasks) == [[DONE]] * 4
    assert scripted.batches == [["first"], ["a", "b", "c"]]


async def test_a_transaction_takes_no_more_than_it_may(lane: Lane, scripted: Scripted) -> None:
    """In a rush a transaction would hold locks and the event loop longer with every caller."""
    tasks = await crowd(lane, scripted, *"abcdef")
    tasks.append(asyncio.create_task(lane.decide([ask(user) for user in "ghijk"])))
    await asyncio.sleep(0)
    scripted.free.set()
    await asyncio.gather(*tasks)
    assert scripted.batches == [["first"], [*"abcd"], [*"ef"], [*"ghij"], ["k"]]


async def test_256_are_decided_together_at_most(scripted: Scripted) -> None:
    """A larger batch would block the event loop for too long while it holds locks."""
    outcomes = await Lane(scripted).decide([ask(str(number)) for number in range(300)])
    assert outcomes == [DONE] * 300
    assert [len(batch) for batch in scripted.batches] == [BATCH_SIZE, 300 - BATCH_SIZE] == [256, 44]


async def test_a_poisoned_command_fails_alone(lane: Lane, scripted: Scripted) -> None:
    """One command that the database rejects would fail its whole batch, or be retried for ever."""
    scripted.failures["poison"] = [psycopg.DataError("NUL")] * 9
    tasks = await crowd(lane, scripted, "a", "poison", "b", "c")
    scripted.free.set()
    outcomes = [outcome for [outcome] in await asyncio.gather(*tasks)]
    assert outcomes[:2] + outcomes[3:] == [DONE] * 4
    assert isinstance(outcomes[2], Internal)
    assert scripted.done == ["first", "a", "b", "c"]


async def test_the_second_to_open_an_event_tries_again(lane: Lane, scripted: Scripted) -> None:
    """When two replicas open an event at once, one caller would get INTERNAL."""
    scripted.failures["late"] = [psycopg.errors.UniqueViolation("inventory_pk")]
    assert await lane.decide([ask("late")]) == [DONE]
    scripted.failures["broken"] = [psycopg.errors.UniqueViolation("bookings_pk")] * 2
    [outcome] = await lane.decide([ask("broken")])
    assert isinstance(outcome, Internal)


async def test_the_rest_of_a_split_batch_fails_for_itself(lane: Lane, scripted: Scripted) -> None:
    """Callers whose half is committed would get the error of the other half, and book again."""
    scripted.failures["poison"] = [psycopg.DataError("NUL"), psycopg.OperationalError("lost")]
    booked, *lost = await lane.decide([ask("a"), ask("b"), ask("poison"), ask("c")])
    assert booked == DONE
    assert [type(outcome) for outcome in lost] == [Done, OutcomeUnknown, OutcomeUnknown]
    assert scripted.done == ["a", "b"]


async def test_a_caller_who_gives_up_takes_nobody_along(lane: Lane, scripted: Scripted) -> None:
    """One caller's deadline would cancel the COMMIT of all who share the transaction."""
    first, *others = await crowd(lane, scripted, "a", "b")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    scripted.free.set()
    assert await asyncio.gather(*others) == [[DONE]] * 2
    assert scripted.done == ["first", "a", "b"]


async def test_an_ask_that_nobody_waits_for_is_never_run(lane: Lane, scripted: Scripted) -> None:
    """A caller who got 504 while queued would be booked without knowing it."""
    _, quitter, other = await crowd(lane, scripted, "quitter", "other")
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    scripted.free.set()
    assert await other == [DONE]
    assert scripted.batches == [["first"], ["other"]]


async def test_a_locked_event_delays_nobody_else(lane: Lane, scripted: Scripted) -> None:
    """A locked event would delay callers of all other events."""
    scripted.busy = {1}
    waiting = asyncio.create_task(lane.decide([ask("waits", 1), ask("free", 2)]))
    await scripted.until_begun(2)
    assert await lane.decide([ask("other", 2)]) == [DONE]
    assert not waiting.done()
    scripted.unlocked.set()
    assert await waiting == [DONE] * 2
    assert scripted.batches == [["waits", "free"], ["waits"], ["other"]]


async def test_those_who_wait_for_a_locked_event_share_transactions(
    lane: Lane, scripted: Scripted
) -> None:
    """After an event was locked once, its asks would be decided one by one."""
    scripted.busy = {1}
    first = asyncio.create_task(lane.decide([ask("first")]))
    await scripted.until_begun(2)
    others = asyncio.create_task(lane.decide([ask("a"), ask("b")]))
    await scripted.until_begun(3)
    await asyncio.sleep(0)
    scripted.unlocked.set()
    await asyncio.gather(first, others)
    assert scripted.batches == [["first"], ["first"], ["a", "b"], ["a", "b"]]


async def test_a_caller_who_cannot_wait_hears_that_an_event_is_busy(
    lane: Lane, scripted: Scripted
) -> None:
    """A batch of the gateway would wait for the lock of one of its events."""
    scripted.busy = {1}
    busy, done = await lane.decide([ask("a", 1), ask("b", 2)], skip_busy=True)
    assert isinstance(busy, Busy)
    assert done == DONE
    assert len(scripted.batches) == 1


async def test_a_locked_event_that_fails_fails_for_itself(lane: Lane, scripted: Scripted) -> None:
    """Committed bookings of another event would be reported as failed."""
    scripted.busy = {1}
    scripted.unlocked.set()
    asking = asyncio.create_task(lane.decide([ask("locked", 1), ask("booked", 2)]))
    await scripted.until_begun(1)
    scripted.failures["locked"] = [psycopg.errors.LockNotAvailable("timeout")]
    locked, booked = await asking
    assert isinstance(locked, Unavailable)
    assert booked == DONE


async def test_a_repeated_key_is_answered_as_the_first_was(lane: Lane, scripted: Scripted) -> None:
    """Two asks with one key in a batch would book twice, or the second be refused."""
    scripted.stored = {"twin"}
    outcomes = await lane.decide([ask("twin"), ask("a"), ask("twin")])
    assert outcomes == [DONE, DONE, Replayed(b"the first one's answer")]
    assert scripted.batches == [["twin", "a", "twin"], ["twin"]]


async def test_deferred_asks_share_transactions_with_all_others(
    lane: Lane, scripted: Scripted
) -> None:
    """A room in which thousands of holds end at once would hold up all other events."""
    scripted.deferred = {"late": 3}
    scripted.free.clear()
    late = asyncio.create_task(lane.decide([ask("early"), ask("late")]))
    await scripted.until_begun(1)
    others = asyncio.create_task(lane.decide([ask("a", 2), ask("b", 2)]))
    await asyncio.sleep(0)
    scripted.free.set()
    assert await others == [DONE] * 2
    assert await late == [DONE] * 2
    assert scripted.batches == [["early", "late"], ["late", "a", "b"], ["late"], ["late"]]


async def test_a_committed_outcome_stays_if_the_rest_fails(lane: Lane, scripted: Scripted) -> None:
    """A booking that is committed would be reported as failed, and made again."""
    scripted.deferred = {"late": 1}
    scripted.failures["late"] = [None, psycopg.errors.LockNotAvailable("timeout")]
    late, booked = await lane.decide([ask("late"), ask("booked")])
    assert isinstance(late, Unavailable)
    assert booked == DONE


async def test_a_lost_commit_is_told_to_all_and_not_repeated(
    lane: Lane, scripted: Scripted
) -> None:
    """A COMMIT without a reply would be retried, although it may have booked everything."""
    scripted.failures["b"] = [psycopg.OperationalError("server closed the connection")]
    first, *sharing = await crowd(lane, scripted, "a", "b", "c")
    scripted.free.set()
    assert await first == [DONE]
    for task in sharing:
        with pytest.raises(psycopg.OperationalError):
            await task
    assert scripted.batches == [["first"], ["a", "b", "c"]]
    assert await lane.decide([ask("later")]) == [DONE]


async def test_more_than_may_wait_are_refused_at_once(lane: Lane, scripted: Scripted) -> None:
    """An overloaded lane would queue callers past their deadlines."""
    tasks = await crowd(lane, scripted, *map(str, range(12)))
    with pytest.raises(Unavailable):
        await lane.decide([ask("too late")])
    scripted.free.set()
    assert await asyncio.gather(*tasks) == [[DONE]] * 13
    assert await lane.decide([ask("again")]) == [DONE]


async def test_a_full_event_is_refused_without_a_lock_while_it_is_full(
    lane: Lane, scripted: Scripted
) -> None:
    """A rush on a full event would queue for its lock, or a freed seat never be sold."""
    scripted.full = {1}
    reserve = [Ask(Reserve(1, "ada"))]
    for _ in range(2):
        [refused] = await lane.decide(reserve)
        assert isinstance(refused, SoldOut)
    assert (len(scripted.batches), scripted.peeked) == (1, 1)
    scripted.full = set()
    assert await lane.decide(reserve) == await lane.decide(reserve) == [DONE]
    assert (len(scripted.batches), scripted.peeked) == (3, 2)
