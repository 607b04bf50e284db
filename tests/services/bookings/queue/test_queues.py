import asyncio
import random
from typing import Any

import pytest

from boxoffice.bookings.v1 import queue_pb2
from services.bookings.errors import QueueEntryNotFound, QueueOff
from services.bookings.queue import admissions, queues
from services.bookings.queue.draw import draw
from services.bookings.queue.queues import Holder, Queues
from services.bookings.queue.servicer import QueueLineServicer
from tests.services.bookings.queue.conftest import SEED, Waiting, moment


async def test_who_joins_an_open_queue_follows_the_others(line: Waiting) -> None:
    """Somebody would be overtaken, or two have the same position."""
    await line.open()
    first, second = await line.join("ada", "bob")
    [third] = await line.join("eve")
    assert [joined.place.position for joined in (first, second, third)] == [1, 2, 3]
    [again] = await line.join("bob")
    assert again.place.position == 2
    assert again.token != second.token
    assert await line.position(again.token) == 2
    [forgotten] = await line.queues.find([Holder(1, second.token)])
    assert isinstance(forgotten, QueueEntryNotFound), "the former token is no longer valid"


async def test_users_who_join_at_once_have_places_without_gaps(line: Waiting) -> None:
    """Two batches would give the same place twice."""
    await line.open()
    batches = [[f"user-{batch}-{number}" for number in range(20)] for batch in range(10)]
    offices = [Queues(line.pool) for _ in range(4)]
    await asyncio.gather(
        *(offices[index % 4].join(1, users) for index, users in enumerate(batches))
    )
    places = await line.rows("SELECT place FROM queue_entries ORDER BY place")
    assert [place for (place,) in places] == list(range(1, 201))
    [(last_id,)] = await line.rows("SELECT last_id FROM queues")
    assert last_id == 200


async def test_places_are_drawn_when_the_queue_opens(
    line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Robots that come first would be served first; or nobody could check the draw."""
    monkeypatch.setattr(admissions, "DRAWN_AT_ONCE", 30)
    await line.open(opens_at=await moment(line, 60))
    early = await line.join(*(f"user-{number}" for number in range(100)))
    assert {joined.place.position for joined in early} == {None}
    assert (await line.buy("user-1", early[1].token)).reason == "QUEUE_REQUIRED"
    await line.admissions.admit()
    assert await line.rows("SELECT draw_size FROM queues") == [(None,)]
    await line.open(opens_at=await moment(line, -1))
    await line.admissions.admit()
    [late] = await line.join("late")
    await line.admissions.admit()
    assert await line.rows("SELECT count(*) FROM queue_entries WHERE state = 'ADMITTED'") == [(0,)]
    replicas = [admissions.Admissions(line.pool) for _ in range(2)]
    while any(await asyncio.gather(*(replica.draw() for replica in replicas))):
        pass
    order = draw(SEED, 100)
    assert sorted(order) == list(range(1, 101))
    drawn = await line.rows("SELECT id FROM queue_entries ORDER BY place")
    assert [number for (number,) in drawn] == [*order, 101]
    assert await line.position(late.token) == 101
    assert await line.position(early[order[0] - 1].token) == 1


class KilledError(Exception):
    """The process ends here, before its transaction is committed."""


class Dying(admissions.Admissions):
    """Is killed when it has drawn places, and has not committed them."""

    async def _draw(self, *queue: Any) -> bool:
        await super()._draw(*queue)
        raise KilledError


async def test_a_draw_that_is_cut_off_goes_on_in_the_same_order(
    line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in the middle would draw a second time, give a place twice, or leave one out."""
    monkeypatch.setattr(admissions, "DRAWN_AT_ONCE", 30)
    await line.open(opens_at=await moment(line, 60))
    await line.join(*(f"user-{number}" for number in range(100)))
    await line.open(opens_at=await moment(line, -1))
    await line.admissions.admit()
    assert await line.admissions.draw()
    with pytest.raises(KilledError):
        await Dying(line.pool).draw()
    assert await line.rows("SELECT drawn, draw_size FROM queues") == [(30, 100)]
    admissions._orders.cache_clear()  # as in the process that is started next
    while await line.admissions.draw():
        pass
    drawn = await line.rows("SELECT place, id FROM queue_entries ORDER BY place")
    assert drawn == [*enumerate(draw(SEED, 100), start=1)]
    told = await line.rows("SELECT unnest(places) FROM queue_changes WHERE waits ORDER BY 1")
    assert told == [(place,) for place in range(1, 101)]


async def test_a_position_is_that_of_a_brute_count(
    line: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amid joining, leaving and admissions a client would be shown a wrong position."""
    monkeypatch.setattr(admissions, "KEPT_CHANGES", 2)
    await line.open(rate_per_minute=120)
    chance = random.Random(7)
    people: dict[str, str] = {}
    for step in range(12):
        names = [f"user-{step}-{number}" for number in range(chance.randrange(1, 9))]
        joined = await line.join(*names)
        people |= dict(zip(names, (each.token for each in joined), strict=True))
        leaver = chance.choice(list(people))
        await line.queues.leave(Holder(1, people.pop(leaver)))
        await line.pass_time(1)
        await line.admissions.admit()
        if step % 5 == 4:
            await line.admissions.sweep()
        counted = await line.rows("""
            SELECT user_id, row_number() OVER (ORDER BY place)
            FROM queue_entries
            WHERE state = 'WAITING'
        """)
        for user_id, position in counted:
            assert await line.position(people[user_id]) == position


async def test_the_absent_are_passed_over_and_come_back_to_their_place(line: Waiting) -> None:
    """People who closed their browser would keep the others waiting, or lose a place at once."""
    await line.open(rate_per_minute=0)
    away, present, gone = await line.join("away", "present", "gone")
    await line.pass_time(admissions.PRESENT_SECONDS)
    assert await line.position(present.token) == 2
    await line.admissions.sweep()
    assert await line.position(present.token) == 1
    assert await line.state(away.token) == "AWAY"
    assert await line.position(away.token) == 1, "the sign of life puts them back"
    assert await line.position(present.token) == 2
    await line.pass_time(admissions.AWAY_SECONDS - admissions.PRESENT_SECONDS)
    await line.admissions.sweep()
    assert await line.state(gone.token) == "EXPIRED"
    assert await line.position(gone.token) is None
    assert await line.position(present.token) == 1
    [anew] = await line.join("gone")
    assert anew.place.position == 2, "they have lost their place"


async def test_presence_is_reported_for_many_at_once(line: Waiting) -> None:
    """Who only keeps a stream open would be passed over, and lose the place after ten minutes."""
    await line.open(rate_per_minute=0)
    present, away, absent = await line.join("present", "away", "absent")
    lines = QueueLineServicer(line.queues, None, None)  # type: ignore[arg-type]
    context: Any = None

    async def report(*tokens: str) -> list[tuple[str, int]]:
        request = queue_pb2.ReportPresenceRequest(event_id=1, queue_tokens=tokens)
        places = (await lines.ReportPresence(request, context)).places
        return [(queue_pb2.QueueState.Name(each.state)[12:], each.place) for each in places]

    await line.pass_time(admissions.PRESENT_SECONDS - 1)
    assert await report(present.token, "1.unknown") == [("WAITING", 1), ("UNSPECIFIED", 0)]
    await line.pass_time(1)
    await line.admissions.sweep()
    assert await line.state(present.token) == "WAITING"
    assert [await line.state(each.token) for each in (away, absent)] == ["AWAY", "AWAY"]
    assert await report(away.token) == [("WAITING", 2)]
    assert await line.state(absent.token) == "AWAY"


async def test_nobody_joins_a_queue_that_is_off(line: Waiting) -> None:
    """They would wait for ever."""
    await line.open(enabled=False)
    with pytest.raises(QueueOff):
        await line.join("ada")


async def test_a_place_can_be_given_up(line: Waiting) -> None:
    """Others would wait for somebody who does not want to book."""
    await line.open()
    first, second = await line.join("ada", "bob")
    await line.queues.leave(Holder(1, first.token))
    assert await line.position(second.token) == 1
    assert await line.state(first.token) == "LEFT"
    with pytest.raises(QueueEntryNotFound):
        await line.queues.leave(Holder(1, "unknown"))


def test_a_token_is_stored_as_its_hash() -> None:
    """A copy of the database would admit whoever has it."""
    assert queues._hash("secret").hex() == (
        "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    )
