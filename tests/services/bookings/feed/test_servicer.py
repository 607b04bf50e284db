import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict

from boxoffice.bookings.v1 import feed_pb2
from gateway.codec.response import message_encoder
from services.bookings.feed.changes import Changes
from services.bookings.feed.servicer import FeedServicer
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.kit.rpc import context
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import InvalidPageToken, ValidationFailed
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.issuer import account

OWNER = account("owner")


@pytest.fixture(autouse=True)
def caller() -> Iterator[None]:
    """Calls as an organizer."""
    token = context.caller.set(Caller(OWNER, Role.ORGANIZER))
    yield
    context.caller.reset(token)


@pytest.fixture
def servicer(changes: Changes, tail: Tail) -> FeedServicer:
    """Returns the servicer."""
    return FeedServicer(changes, tail, most_waiting=1)


async def parts(servicer: FeedServicer, **request: Any) -> list[bytes]:
    """Returns the parts of a body."""
    asked = feed_pb2.RenderChangesRequest(**request)
    responses = servicer.RenderChanges(asked, None)  # type: ignore[arg-type]
    return [response.body.data async for response in responses]


async def page(servicer: FeedServicer, **request: Any) -> Any:
    """Returns a page of changes."""
    return orjson.loads(b"".join(await parts(servicer, **request)))


async def test_a_change_is_what_the_gateway_would_print(
    servicer: FeedServicer, inventory: Inventory, reservations: Reservations, tail: Tail
) -> None:
    """The answer would differ from what the contract describes."""
    await inventory.apply(concert(1, organizer_id=OWNER))
    [booking] = await booked(reservations, [seat(1, "ada")])
    await tail.advance()
    [body] = await parts(servicer)
    shown = orjson.loads(body)
    message = ParseDict(_in_contract(shown), feed_pb2.ChangePage())
    assert message_encoder(message.DESCRIPTOR)(message) == shown
    opened, reserved = shown["changes"]
    assert (opened["type"], opened["capacity"], opened["revision"]) == ("OPENED", 50, 1)
    assert (reserved["id"], reserved["type"], reserved["seats"]) == ("1-2", "RESERVED", 1)
    assert (reserved["user_id"], reserved["reference"]) == ("ada", str(booking.reference))


async def test_only_the_types_that_are_named_are_listed(
    servicer: FeedServicer, inventory: Inventory, reservations: Reservations, tail: Tail
) -> None:
    """Also after the page, which ends at the last change of any type."""
    await inventory.apply(concert(1, organizer_id=OWNER))
    await booked(reservations, [seat(1, f"user{number}") for number in range(3)])
    await tail.advance()
    first = await page(servicer, types="RESERVED,CLOSED", limit=2)
    assert [change["revision"] for change in first["changes"]] == [2, 3]
    second = await page(servicer, types="RESERVED,CLOSED", after=first["next_cursor"])
    assert [change["revision"] for change in second["changes"]] == [4]
    assert not second["has_more"]


async def test_a_request_waits_for_the_next_change(
    servicer: FeedServicer, inventory: Inventory, tail: Tail
) -> None:
    """Clients would have to ask all the time."""
    await tail.advance()
    responses = servicer.RenderChanges(
        feed_pb2.RenderChangesRequest(wait=20),
        None,  # type: ignore[arg-type]
    )
    first = await anext(responses)
    assert first.body.data.isspace()
    rest = asyncio.ensure_future(anext(responses))
    await inventory.apply(concert(1, organizer_id=OWNER))
    await tail.advance()
    assert len(orjson.loads((await rest).body.data)["changes"]) == 1
    assert [part async for part in responses] == []
    assert tail.waiting == 0


async def test_one_waiter_too_many_is_answered_at_once(servicer: FeedServicer, tail: Tail) -> None:
    """Waiters would take the calls that sales need."""
    with tail.watched(None):
        assert (await page(servicer, wait=20))["changes"] == []


async def test_an_unknown_cursor_or_type_is_refused(servicer: FeedServicer) -> None:
    """A misspelled one would look like a feed without changes."""
    for token in ("x", "AAAA", "~~~~"):
        with pytest.raises(InvalidPageToken):
            await page(servicer, after=token)
    with pytest.raises(ValidationFailed):
        await page(servicer, types="RESERVED,SOLD")


def _in_contract(shown: dict[str, Any]) -> dict[str, Any]:
    """Writes the types as protobuf does."""
    changes = [change | {"type": f"CHANGE_TYPE_{change['type']}"} for change in shown["changes"]]
    return shown | {"changes": changes}
