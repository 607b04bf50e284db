from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from boxoffice.audit.v1 import audit_pb2
from services.kit.audit.log import OK, SQL, Action, Actor, AuditLog, Filter
from services.kit.audit.pages import filter_of, page_of
from services.kit.rpc import paging
from services.kit.rpc.errors import InvalidPageToken, ValidationFailed
from tests.conftest import Database
from tests.pools import patient_pool

ADA, EVE = Actor("ACCOUNT", "acct_ada"), Actor("API_KEY", "acct_eve", "k1")
ALL = paging.parse(0, "", scope="")


@pytest.fixture
async def log(database: Database) -> AsyncIterator[AuditLog]:
    """Returns the log of events, with the rights that the service has."""
    async with patient_pool(database.events_dsn, schema="events", size=2) as pool:
        yield AuditLog(pool)


async def test_filters_choose_entries(log: AuditLog) -> None:
    """An admin could see all entries, or none, of one account, thing or time."""
    begun = datetime.now(UTC)
    created = await log.begin(Action(ADA, "CreateEvent"))
    await log.finish(created, OK, "event/1")
    changed = await log.begin(Action(EVE, "UpdateEvent", "event/1", ["name"], "r1"))
    other = await log.begin(Action(EVE, "UpdateEvent", "event/2"))

    async def listed(**wanted: object) -> list[int]:
        entries, _ = await log.list(Filter(**wanted), ALL)  # type: ignore[arg-type]
        return [entry.id for entry in entries]

    minute = timedelta(minutes=1)
    assert await listed() == [other, changed, created]
    assert await listed(actor="acct_ada") == [created]
    assert await listed(target="event/1") == [changed, created]
    assert await listed(since=begun - minute, until=begun + minute) == [other, changed, created]
    assert await listed(since=begun + minute) == []
    assert await listed(until=begun - minute) == []


def test_what_was_done_to_a_target_is_found_by_indexes(database: Database) -> None:
    """Asking about one event could become slower with each entry of the log."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("SET search_path TO events")
        owner.execute("""
            INSERT INTO audit_entries (id, actor_kind, action, target, fields, request_id)
            SELECT n, 'ACCOUNT', 'UpdateEvent', 'event/' || n % 4000, '{}', ''
            FROM generate_series(1, 20000) AS n
        """)
        owner.execute("""
            INSERT INTO audit_outcomes (entry_id, outcome, created)
            SELECT id, 'ok', 'movie/' || id
            FROM audit_entries
        """)
        owner.execute("ANALYZE audit_entries, audit_outcomes")
        values = {"before": paging.FIRST, "limit": 51, "target": "event/7"}
        others = dict.fromkeys(("actor", "since", "until"))
        rows = owner.execute(b"EXPLAIN " + SQL["list"], values | others).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "audit_entries_of_target" in plan, plan
    assert "audit_outcomes_of_created" in plan, plan
    assert "Seq Scan" not in plan, plan


async def test_pages_have_every_entry_once(log: AuditLog) -> None:
    """An entry could be missing between two pages."""
    begun = [await log.begin(Action(ADA, "UpdateEvent", f"event/{n}")) for n in range(5)]
    found, token = [], ""
    for _ in range(3):
        entries, token = await log.list(Filter(), paging.parse(2, token, scope=""))
        found += [entry.id for entry in entries]
    assert (found, token) == (begun[::-1], "")


async def test_the_owner_of_the_database_can_delete_old_entries(
    log: AuditLog, database: Database
) -> None:
    """The log could grow for ever, or an outcome without an entry be left."""
    await log.finish(await log.begin(Action(ADA, "UpdateEvent", "event/1")), OK)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("DELETE FROM events.audit_entries WHERE created_at <= now()")
        assert owner.execute("SELECT FROM events.audit_outcomes").fetchall() == []


def test_a_token_is_bound_to_its_filter() -> None:
    """A client that changed the filter between two pages could miss entries."""
    first = audit_pb2.ListAuditEntriesRequest(actor="acct_ada")
    token = page_of(first).token_after(7)
    first.page_token = token
    assert page_of(first).before == 7
    with pytest.raises(InvalidPageToken):
        page_of(audit_pb2.ListAuditEntriesRequest(actor="acct_eve", page_token=token))


def test_times_that_no_clock_shows_are_refused() -> None:
    """Such a time could be an internal error."""
    request = audit_pb2.ListAuditEntriesRequest()
    request.since.seconds = 1 << 40
    with pytest.raises(ValidationFailed):
        filter_of(request)
