import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from boxoffice.bookings.v1 import bookings_pb2, tickets_pb2
from services.bookings.inventory import store, ticket_rows
from services.bookings.tickets import check_in
from services.kit.database.round_trip import prepared
from services.kit.rpc.callers import Role
from services.kit.rpc.errors import Refusal, refusal_from_call
from tests.conftest import Database
from tests.services.bookings.conftest import drift, make_decisions_wait
from tests.services.bookings.serving import refused
from tests.services.bookings.tickets.conftest import OWNER, Hall
from tests.services.issuer import account

ADA, BOB, EVE = map(account, ("ada", "bob", "eve"))
MINUTE = timedelta(minutes=1)
TRIES = 8


@pytest.fixture
def hall(house: Hall) -> Hall:
    """Returns the house, whose users have addresses."""
    house.issuer.addresses.update({"bob@example.com": BOB, "ada@example.com": ADA})
    return house


async def reason(call: Any) -> str:
    """Returns why a call is refused."""
    return (await refused(call)).reason


async def test_a_ticket_has_one_user(hall: Hall, database: Database) -> None:
    """Two people could come with one ticket, or the buyer still see the new codes."""
    made = await hall.ticket_of(ADA)
    given = (await hall.transfer(made, ADA, "bob@example.com")).ticket
    assert (given.user_id, given.status) == (BOB, tickets_pb2.TICKET_STATUS_VALID)
    assert (given.ticket_id, given.seats[0].HasField("code")) == (made.ticket_id, False)
    assert await reason(hall.get(made.ticket_id, ADA)) == "TICKET_NOT_FOUND"
    assert await reason(hall.create(ADA, booking_id=made.booking_id)) == "TICKET_NOT_FOUND"
    found = await hall.get(made.ticket_id, BOB)
    assert found.seats[0].code != made.seats[0].code
    assert await reason(hall.scan(made.seats[0].code, "1")) == "TICKET_REVOKED"
    bundle = await hall.bundle()
    assert (len(bundle.codes), len(bundle.revoked_code_ids)) == (1, 1)
    admitted = await hall.scan(found.seats[0].code, "2")
    assert (admitted.ticket_id, admitted.user_id) == (made.ticket_id, BOB)
    assert drift(database) == []


async def test_only_the_organizer_cancels_a_transferred_ticket(hall: Hall) -> None:
    """A buyer could take the seat away from somebody who paid for the ticket."""
    made = await hall.ticket_of(ADA)
    await hall.transfer(made, ADA, "bob@example.com")
    request = bookings_pb2.CancelBookingByReferenceRequest(reference=made.reference)
    cancel = hall.running.bookings.CancelBookingByReference
    by_buyer = cancel(request, metadata=hall.issuer.bearer(ADA))
    assert await reason(by_buyer) == "PERMISSION_DENIED"
    assert (await hall.get(made.ticket_id, BOB)).status == tickets_pb2.TICKET_STATUS_VALID
    await cancel(request, metadata=hall.issuer.bearer(OWNER, Role.ORGANIZER))
    assert (await hall.get(made.ticket_id, BOB)).status == tickets_pb2.TICKET_STATUS_REVOKED


async def test_only_an_owner_learns_who_has_an_account(hall: Hall) -> None:
    """Strangers could find out which addresses have accounts."""
    made = await hall.ticket_of(ADA)
    for who in (BOB, OWNER):
        for key in ("", f"key of {who[:9]}".replace(" ", "-")):
            call = hall.transfer(made, who, "bob@example.com", key)
            assert await reason(call) == "TICKET_NOT_FOUND"
    await hall.scan(made.seats[0].code, "1")
    assert await reason(hall.transfer(made, ADA, "bob@example.com")) == "ALREADY_USED"
    unpaid = (await hall.create(ADA, reservation_id=await hall.hold(1, who=ADA))).ticket
    assert await reason(hall.transfer(unpaid, ADA, "bob@example.com")) == "AWAITING_PAYMENT"
    assert hall.issuer.addresses_asked == []


async def test_a_ticket_goes_to_another_account(hall: Hall) -> None:
    """A ticket could go to nobody, or its codes change for nothing."""
    made = await hall.ticket_of(ADA)
    assert await reason(hall.transfer(made, ADA, "eve@example.com")) == "USER_NOT_FOUND"
    own = await refused(hall.transfer(made, ADA, "ada@example.com"))
    assert [each.path for each in own.violations] == ["email"]
    assert (await hall.get(made.ticket_id, ADA)) == made


async def test_a_key_repeats_a_transfer(hall: Hall) -> None:
    """A client that lost the response could not learn that the ticket is gone."""
    made = await hall.ticket_of(ADA)
    first, again = [await hall.transfer(made, ADA, "bob@example.com", "key") for _ in range(2)]
    assert (first.replayed, again.replayed, again.ticket) == (False, True, first.ticket)
    assert await reason(hall.transfer(made, ADA, "eve@example.com", "key")) == (
        "IDEMPOTENCY_KEY_REUSED"
    )


async def outcome(call: Any) -> str:
    """Returns why a call is refused, or `done`."""
    try:
        await call
    except psycopg.Error:
        raise
    except Exception as error:
        refusal: Refusal | None = refusal_from_call(error)  # type: ignore[arg-type]
        if refusal is None:
            raise
        return refusal.reason
    return "done"


async def race(hall: Hall) -> list[tuple[str, str]]:
    """Scans tickets while they are transferred; returns what became of both for each."""
    ended = []
    for number in range(TRIES):
        who = account(f"user {number}")
        made = await hall.ticket_of(who)
        scan = outcome(hall.scan(made.seats[0].code, "old"))
        transfer = outcome(hall.transfer(made, who, "bob@example.com"))
        both = (scan, transfer) if number % 2 else (transfer, scan)
        scanned, given = (await asyncio.gather(*both))[:: 1 if number % 2 else -1]
        ended.append((scanned, given))
    return ended


async def test_a_ticket_is_used_or_transferred(hall: Hall, database: Database) -> None:
    """A buyer could be admitted with a ticket that they sold at this very moment."""
    make_decisions_wait(database, "pg_sleep(0.02)")
    assert set(await race(hall)) <= {
        ("done", "ALREADY_USED"),
        ("done", "REQUEST_IN_PROGRESS"),
        ("TICKET_REVOKED", "done"),
    }


@pytest.mark.parametrize("taken_out", ["scan", "transfer"])
async def test_without_its_lock_a_ticket_is_used_and_transferred(
    hall: Hall, database: Database, monkeypatch: pytest.MonkeyPatch, taken_out: str
) -> None:
    """The test above could pass by chance, and either lock be superfluous."""
    make_decisions_wait(database, "pg_sleep(0.02)")
    if taken_out == "scan":
        unlocked = check_in.SQL["lock_code"].replace(b"FOR NO KEY UPDATE OF tickets", b"")
        monkeypatch.setattr(check_in, "SQL", {**check_in.SQL, "lock_code": unlocked})
    else:
        text = ticket_rows.SQL["lock_tickets"].replace(b"FOR NO KEY UPDATE SKIP LOCKED", b"")
        monkeypatch.setitem(store._STATEMENTS, "lock_tickets", prepared("lock_tickets", text))
    assert ("done", "done") in await race(hall)


async def test_a_late_upload_of_a_transferred_code_is_reported(hall: Hall) -> None:
    """A seat that admitted its buyer and its new user could go unnoticed."""
    made = await hall.ticket_of(ADA)
    before = datetime.now(UTC) - MINUTE
    await hall.transfer(made, ADA, "bob@example.com")
    code = (await hall.get(made.ticket_id, BOB)).seats[0].code
    await hall.scan(code, "new")
    late = await hall.scan(made.seats[0].code, "old", before)
    assert late.double_admission
    assert [each.nonce for each in (await hall.bundle()).double_admissions] == ["new"]
    assert await reason(hall.scan(code, "again")) == "ALREADY_USED"


async def test_who_was_let_in_offline_uses_up_the_new_code(hall: Hall) -> None:
    """A buyer could come in without a network, and then the new user, too."""
    made = await hall.ticket_of(ADA)
    before = datetime.now(UTC) - MINUTE
    await hall.transfer(made, ADA, "bob@example.com")
    code = (await hall.get(made.ticket_id, BOB)).seats[0].code
    assert not (await hall.scan(made.seats[0].code, "old", before)).double_admission
    assert await reason(hall.scan(code, "new")) == "ALREADY_USED"
    assert (await hall.get(made.ticket_id, BOB)).status == tickets_pb2.TICKET_STATUS_USED
