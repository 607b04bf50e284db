import re

import pytest

from services.bookings.inventory import (
    payment_rows,
    queue_rows,
    saving,
    seat_rows,
    store,
    ticket_rows,
)
from services.bookings.inventory.routing import expect_distributed, routed
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import Statement, prepared
from services.kit.process.environment import SettingsError

DISTRIBUTED = (
    rb"(inventory|bookings|waiting_list|ledger|seat_claims|seat_blocks|notices|tickets|ticket_codes"
    rb"|ticket_letters|payments|refunds|queues|queue_entries|core_bookings|core_payments)"
)
READS = re.compile(rb"\b(?:FROM|JOIN|UPDATE|USING)\s+%s\b" % DISTRIBUTED)
OF_AN_EVENT = re.compile(rb"(?:\w+\.)?event_id(?: \+ 0)? = (\S+)")
OF_ITS_TABLE = re.compile(rb"%s\.event_id" % DISTRIBUTED)
NOT_OF_THE_CORE = {"events", "known_events", "request_audit"}


def statements() -> dict[str, Statement]:
    """Returns the statements of the core's transactions."""
    modules = store, saving, ticket_rows, seat_rows, payment_rows, queue_rows
    texts = {name: text for module in modules for name, text in module.SQL.items()}
    named = {name: prepared(name, text) for name, text in texts.items()}
    locks = {"wait": store.WAIT, "skip_locked": store.SKIP_LOCKED, "no_lock": store.NO_LOCK}
    return {name: found for name, found in named.items() if name not in NOT_OF_THE_CORE} | locks


def test_every_statement_names_its_event_as_a_parameter() -> None:
    """Citus would run a statement of the core on every node, and lock shards of all events."""
    for name, statement in statements().items():
        found = routed(statement)
        compared = OF_AN_EVENT.findall(found.text)
        parameter = b"$%d::bigint" % len(found.parameters)
        if READS.search(statement.text):
            assert found.parameters[-1] == "event", name
            assert parameter in compared, name
        others = [each for each in compared if each != parameter]
        assert all(map(OF_ITS_TABLE.fullmatch, others)) or b"ANY" in others, (name, others)


async def test_one_postgresql_is_no_cluster(pool: Pool) -> None:
    """Bookings set to BOOKINGS_DISTRIBUTED by mistake would refuse requests now and then."""
    with pytest.raises(SettingsError, match="BOOKINGS_DISTRIBUTED"):
        await expect_distributed(pool)


def test_what_has_no_event_stays_as_it_is() -> None:
    """A statement would get a parameter that it does not know."""
    assert routed(store.CLOCK) == store.CLOCK


def test_the_check_finds_a_statement_that_was_not_routed() -> None:
    """Negative control: a comparison with an unknown name of the JSON's rows."""
    odd = prepared("odd", b"SELECT FROM bookings JOIN odd ON bookings.event_id = odd.event_id")
    assert OF_AN_EVENT.findall(routed(odd).text) == [b"odd.event_id"]
    assert not OF_ITS_TABLE.fullmatch(b"odd.event_id")
