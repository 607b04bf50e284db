"""Calls of audited methods, which are recorded before they begin."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from services.events.errors import EventNotFound
from services.kit.audit.log import AuditLog, Entry, Filter
from services.kit.rpc import context, paging
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import OutcomeUnknown, Unavailable
from services.kit.server.auditing import Auditing
from services.kit.server.interceptors import describe
from tests.conftest import Database
from tests.pools import patient_pool

CREATE = "/boxoffice.events.v1.EventsService/CreateEvent"
REQUEST = events_pb2.CreateEventRequest(event=events_pb2.Event(name="Gig"))
RESPONSE = events_pb2.CreateEventResponse(event=events_pb2.Event(id=12))
NO_CONTEXT: Any = None


@pytest.fixture
async def auditing(database: Database) -> AsyncIterator[Auditing]:
    """Returns the layer with the log of events."""
    session = {"lock_timeout": "50ms"}
    async with patient_pool(database.events_dsn, schema="events", size=2, session=session) as pool:
        layer = Auditing()
        layer.log = AuditLog(pool)
        yield layer


async def entries(auditing: Auditing) -> list[Entry]:
    """Lists the entries of the log."""
    assert auditing.log is not None
    found, _ = await auditing.log.list(Filter(), paging.parse(0, "", scope=""))
    return list(found)


async def test_the_entry_is_there_before_the_call_begins(auditing: Auditing) -> None:
    """A change could be committed by a process that dies before it records it."""
    seen: list[Entry] = []

    async def create(request: Any, _: Any) -> Message:
        seen.extend(await entries(auditing))
        return RESPONSE

    context.caller.set(Caller("acct_ada", Role.ORGANIZER))
    context.request_id.set("r1")
    assert await auditing.wrap(describe(CREATE), create)(REQUEST, NO_CONTEXT) is RESPONSE
    [before], [after] = seen, await entries(auditing)
    assert (before.actor, before.action) == ("acct_ada", "EventsService.CreateEvent")
    assert (before.fields, before.request_id, before.outcome) == (["name"], "r1", None)
    assert (after.id, after.outcome, after.created) == (before.id, "ok", "event/12")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(EventNotFound(), "event_not_found"), (OutcomeUnknown(), None), (RuntimeError(), None)],
    ids=repr,
)
async def test_a_failure_is_recorded_as_far_as_it_is_known(
    auditing: Auditing, error: Exception, outcome: str | None
) -> None:
    """A refused attempt could look like a change, or a change in doubt like a refusal."""

    async def fail(request: Any, _: Any) -> Message:
        raise error

    with pytest.raises(type(error)):
        await auditing.wrap(describe(CREATE), fail)(REQUEST, NO_CONTEXT)
    [entry] = await entries(auditing)
    assert entry.outcome == outcome


async def test_nothing_is_done_that_cannot_be_recorded(
    auditing: Auditing, database: Database
) -> None:
    """A full disk could let changes pass without an entry."""
    done: list[Any] = []

    async def create(request: Any, _: Any) -> Message:
        done.append(request)
        return RESPONSE

    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("LOCK TABLE events.audit_entries")
        with pytest.raises(Unavailable):
            await auditing.wrap(describe(CREATE), create)(REQUEST, NO_CONTEXT)
    assert done == []


async def test_a_call_is_done_though_its_outcome_cannot_be_recorded(
    auditing: Auditing, database: Database
) -> None:
    """A change that was made could be reported as a failure."""
    with psycopg.connect(database.owner_dsn) as owner:

        async def create(request: Any, _: Any) -> Message:
            owner.execute("LOCK TABLE events.audit_outcomes")
            return RESPONSE

        assert await auditing.wrap(describe(CREATE), create)(REQUEST, NO_CONTEXT) is RESPONSE
    [entry] = await entries(auditing)
    assert entry.outcome is None


async def test_other_methods_pass_through(auditing: Auditing) -> None:
    """Every booking could pay for the log."""

    async def reserve(request: Any, _: Any) -> Message:
        return bookings_pb2.ReserveResponse()

    method = describe("/boxoffice.bookings.v1.BookingsService/Reserve")
    assert auditing.wrap(method, reserve) is reserve


def test_an_audited_method_needs_a_log() -> None:
    """A service could forget its log, and change things without entries."""

    async def create(request: Any, _: Any) -> Message:
        return RESPONSE

    with pytest.raises(TypeError):
        Auditing().wrap(describe(CREATE), create)
