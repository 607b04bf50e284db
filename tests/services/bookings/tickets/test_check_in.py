import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import psycopg
import pytest

from boxoffice.bookings.v1 import tickets_pb2
from services.bookings.tickets import check_in
from services.kit.rpc.callers import Role
from services.kit.rpc.errors import Refusal, refusal_from_call
from tests.conftest import Database
from tests.services.bookings.conftest import clock_forward, make_decisions_wait
from tests.services.bookings.serving import refused
from tests.services.bookings.tickets.conftest import (
    CONCERT,
    FREE,
    OWNER,
    SCREENING,
    STARTS_AT,
    Hall,
)
from tests.services.issuer import account

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SCANNERS = 32


async def code_of(house: Hall, event_id: int = FREE) -> str:
    """Returns the code of a new ticket."""
    return str((await house.ticket(event_id)).seats[0].code)


async def reason(call: Any) -> str:
    """Returns why a call is refused."""
    return (await refused(call)).reason


def used_at(refusal: Refusal) -> datetime:
    """Returns when a code was used, by the details of a refusal."""
    details: Any = refusal.details
    return details.used_at.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]


async def test_a_code_admits_once(house: Hall) -> None:
    """A ticket that was photographed could admit two; a lost answer keep its owner out."""
    made = await house.ticket()
    code = made.seats[0].code
    first, again = [await house.scan(code, "one") for _ in range(2)]
    assert (first.result, first.ticket_id, first.user_id) == (
        "admitted",
        made.ticket_id,
        made.user_id,
    )
    assert again == first
    refusal = await refused(house.scan(code, "two"))
    assert refusal.reason == "ALREADY_USED"
    assert used_at(refusal) == first.admitted_at.ToDatetime(tzinfo=UTC)
    found = await house.get(made.ticket_id)
    assert found.status == tickets_pb2.TICKET_STATUS_USED
    assert found.seats[0].used_at == first.admitted_at


async def rush(house: Hall, scanners: int = SCANNERS) -> list[bool]:
    """Has scanners scan one code at once; returns whom they admitted."""
    code = await code_of(house)

    async def is_admitted(nonce: str) -> bool:
        try:
            await house.scan(code, nonce)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_from_call(error)
            if refusal is not None and refusal.reason == "UNAVAILABLE":
                # A busy machine has no connection free: a scanner asks again.
                return await is_admitted(nonce)
            if refusal is None or refusal.reason != "ALREADY_USED":
                raise
            return False
        return True

    return await asyncio.gather(*(is_admitted(str(number)) for number in range(scanners)))


async def test_many_scanners_admit_one(house: Hall) -> None:
    """Copies of one ticket at several doors could all admit somebody."""
    assert (await rush(house)).count(True) == 1


async def test_without_its_lock_a_code_admits_several(
    house: Hall, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above could pass by chance, and the lock be superfluous."""
    make_decisions_wait(database, "pg_sleep(0.05)")
    unlocked = check_in.SQL["lock_code"].replace(b"FOR NO KEY UPDATE OF tickets", b"")
    monkeypatch.setattr(check_in, "SQL", {**check_in.SQL, "lock_code": unlocked})
    assert (await rush(house, scanners=4)).count(True) > 1


async def test_late_uploads_count_by_the_time_of_the_scan(house: Hall) -> None:
    """A double admission could be lost, or the later scan be taken for the first one."""
    code, now = await code_of(house), datetime.now(UTC).replace(microsecond=0)
    second = await house.scan(code, "second", now - 2 * MINUTE)
    first = await house.scan(code, "first", now - 3 * MINUTE)
    assert (second.double_admission, first.double_admission) == (False, True)
    third = await refused(house.scan(code, "third", now - MINUTE))
    details: Any = third.details
    assert (third.reason, used_at(third), details.double_admission) == (
        "ALREADY_USED",
        now - 3 * MINUTE,
        True,
    )
    again = await refused(house.scan(code, "third", now - MINUTE))
    assert again.details == third.details
    found = await house.bundle()
    assert [(each.nonce, each.scanned_at.seconds) for each in found.double_admissions] == [
        ("second", int((now - 2 * MINUTE).timestamp())),
        ("third", int((now - MINUTE).timestamp())),
    ]
    online = await refused(house.scan(code, "online"))
    assert used_at(online) == now - 3 * MINUTE


async def test_a_code_that_does_not_admit_has_a_reason(house: Hall, database: Database) -> None:
    """A steward could not tell a forged ticket from one for tomorrow."""
    made, other = await house.ticket(), await code_of(house)
    code, now = made.seats[0].code, datetime.now(UTC)
    assert await reason(house.scan("forged", "1")) == "INVALID_TICKET_CODE"
    assert await reason(house.scan(code, "1", event_id=CONCERT)) == "WRONG_EVENT"
    assert await reason(house.scan(code, "1", STARTS_AT - 7 * HOUR)) == "NOT_YET_VALID"
    assert await reason(house.scan(code, "1", now + HOUR)) == "VALIDATION_ERROR"
    stranger = house.call(
        "CheckInTicket",
        tickets_pb2.CheckInTicketRequest(code=code, nonce="1"),
        account("stranger"),
        Role.ORGANIZER,
    )
    assert await reason(stranger) == "WRONG_EVENT"
    await house.cancel(made)
    assert await reason(house.scan(code, "1")) == "TICKET_REVOKED"
    assert (await house.scan(code, "offline", now - MINUTE)).result == "admitted"
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE bookings.tickets SET valid_at = NULL")
    assert await reason(house.scan(other, "1")) == "AWAITING_PAYMENT"
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE bookings.tickets SET valid_at = now()")
    clock_forward(database, seconds=25.1 * 3_600)
    assert await reason(house.scan(other, "1")) == "EXPIRED"


async def test_an_event_that_moves_takes_its_doors_along(house: Hall) -> None:
    """Printed tickets would be useless once an event is postponed."""
    code = await code_of(house)
    later = house.running.catalogue.put(
        FREE, revision=2, organizer_id=OWNER, starts_at=STARTS_AT + 48 * HOUR
    )
    await house.running.apply(later)
    assert await reason(house.scan(code, "1")) == "NOT_YET_VALID"


async def test_a_bundle_tells_good_codes_from_revoked_ones(house: Hall) -> None:
    """A scanner without a network could admit somebody who gave a ticket back."""
    kept, used, gone = [await house.ticket() for _ in range(3)]
    await house.cancel(gone)
    await house.scan(used.seats[0].code, "one")
    found = await house.bundle()
    assert {int(key.kid): key.x for key in found.keys} == await house.keys()
    assert [code.seat.HasField("used_at") for code in found.codes].count(True) == 1
    assert (len(found.codes), len(found.revoked_code_ids)) == (2, 1)
    assert (found.event_id, found.name) == (FREE, "Concert")
    assert found.not_before.ToDatetime(tzinfo=UTC) == STARTS_AT - 6 * HOUR
    assert await reason(house.bundle(99)) == "EVENT_NOT_FOUND"
    assert kept.seats[0].code
    reservation = await house.hold(3)
    await house.create(reservation_id=reservation)
    assert not (await house.bundle(SCREENING)).codes
