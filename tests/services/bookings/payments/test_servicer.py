import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from boxoffice.bookings.v1 import payments_pb2, tickets_pb2
from boxoffice.type.v1 import money_pb2
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.bookings.conftest import clock_forward, drift
from tests.services.bookings.payments.conftest import Till
from tests.services.bookings.serving import refused
from tests.services.bookings.tickets.conftest import CONCERT, FREE, OWNER
from tests.services.issuer import account

ADA = account("ada")
CREATED, SUCCEEDED, FAILED, REFUND_DUE, REFUNDED = (
    payments_pb2.PAYMENT_STATUS_CREATED,
    payments_pb2.PAYMENT_STATUS_SUCCEEDED,
    payments_pb2.PAYMENT_STATUS_FAILED,
    payments_pb2.PAYMENT_STATUS_REFUND_DUE,
    payments_pb2.PAYMENT_STATUS_REFUNDED,
)
AWAITING, VALID, REVOKED = (
    tickets_pb2.TICKET_STATUS_AWAITING_PAYMENT,
    tickets_pb2.TICKET_STATUS_VALID,
    tickets_pb2.TICKET_STATUS_REVOKED,
)
PRICE = 900


def euros(amount_minor: int, currency: str = "EUR") -> money_pb2.Money:
    """Makes an amount of money."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)


def fields_of(refusal: Refusal) -> list[str]:
    """Returns the fields that a refusal names."""
    assert refusal.reason == "VALIDATION_ERROR"
    return [violation.path for violation in refusal.violations]


async def test_a_payment_makes_its_ticket_valid(till: Till) -> None:
    """A visitor could pay and not be admitted, or pay twice."""
    reservation = await till.hall.hold(3, 4)
    ticket = (await till.hall.create(reservation_id=reservation)).ticket
    payment = await till.paid(ticket_id=ticket.ticket_id, amount=euros(2 * PRICE))
    assert (payment.status, payment.amount, payment.refunded) == (
        SUCCEEDED,
        euros(2 * PRICE),
        euros(0),
    )
    assert (payment.ticket_id, payment.booking_id) == (ticket.ticket_id, ticket.booking_id)
    assert (payment.user_id, payment.method) == ("guest", "card")
    assert (await till.hall.get(ticket.ticket_id)).status == VALID
    again = await refused(till.pay(reservation_id=reservation))
    assert again.reason == "ALREADY_PAID"
    assert await till.get(payment.payment_id) == payment


async def test_a_declined_payment_keeps_the_hold(till: Till) -> None:
    """Somebody whose card is declined could lose the seats before trying another card."""
    reservation = await till.hall.hold(1)
    ticket = (await till.hall.create(reservation_id=reservation)).ticket
    declined = await refused(till.pay("tok_decline", reservation_id=reservation))
    assert declined.reason == "PAYMENT_DECLINED"
    assert (await till.hall.get(ticket.ticket_id)).status == AWAITING
    assert (await till.paid(reservation_id=reservation)).status == SUCCEEDED


@pytest.mark.parametrize(("currency", "amount_minor"), [("JPY", 1_200), ("KWD", 4_500)])
async def test_money_is_minor_units_of_its_own_currency(
    till: Till, currency: str, amount_minor: int
) -> None:
    """Yen have no minor units and dinars have a thousand: somebody could pay a hundredth."""
    till.hall.running.catalogue.put(9, price=euros(amount_minor, currency), organizer_id=OWNER)
    booking = await till.book(9)
    wrong = await refused(till.pay(booking_id=booking, amount=euros(amount_minor * 100, currency)))
    assert fields_of(wrong) == ["amount"]
    payment = await till.paid(booking_id=booking, amount=euros(amount_minor, currency))
    assert (payment.status, payment.amount) == (SUCCEEDED, euros(amount_minor, currency))


async def test_what_cannot_be_paid_is_refused_before_money_moves(till: Till) -> None:
    """Money could be taken for nothing, or for less than the booking costs."""
    booking = await till.book()
    for wrong in (euros(PRICE - 1), euros(PRICE, "USD")):
        assert fields_of(await refused(till.pay(booking_id=booking, amount=wrong))) == ["amount"]
    assert fields_of(await refused(till.pay("", booking_id=booking))) == ["token"]
    card = await refused(till.pay("4111111111111111", booking_id=booking))
    assert fields_of(card) == ["token"]
    free = await refused(till.pay(booking_id=await till.book(FREE)))
    assert free.reason == "ALREADY_PAID"
    unknown = {
        "TICKET_NOT_FOUND": {"ticket_id": str(uuid4())},
        "RESERVATION_NOT_FOUND": {"reservation_id": str(uuid4())},
        "BOOKING_NOT_FOUND": {"booking_id": 10**9},
    }
    for reason, asked in unknown.items():
        assert (await refused(till.pay(**asked))).reason == reason  # type: ignore[arg-type]
    assert till.execute("SELECT id FROM payments") == []
    assert till.execute("SELECT id FROM sandbox_charges") == []


async def test_a_lost_answer_is_asked_for(till: Till) -> None:
    """Somebody could have paid without a ticket, because an answer was lost."""
    payment = await till.paid("tok_lost")
    assert payment.status == CREATED
    assert (await refused(till.pay(booking_id=payment.booking_id))).reason == "REQUEST_IN_PROGRESS"
    settled = await till.until_it_is(SUCCEEDED, payment)
    assert (await till.hall.get(settled.ticket_id)).status == VALID


async def test_webhooks_that_come_twice_and_late_count_once(till: Till) -> None:
    """A payment could be counted twice, or go back to an earlier status."""
    payment = await till.paid("tok_twice")
    assert payment.status == CREATED
    settled = await till.until_it_is(SUCCEEDED, payment)
    await till.until_all_webhooks_came()
    assert await till.get(payment.payment_id) == settled
    [(received,)] = till.execute("SELECT received_minor FROM payments")
    events = till.execute("SELECT id FROM provider_events")
    assert (received, len(events)) == (PRICE, 1)


async def test_of_two_payments_at_once_one_is_under_way(till: Till) -> None:
    """A user who clicks twice could pay twice."""
    booking = await till.book()
    calls = (till.pay("tok_slow_300", booking_id=booking) for _ in range(4))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [each.payment.status for each in made] == [SUCCEEDED]
    assert len(till.execute("SELECT id FROM sandbox_charges")) == 1


async def test_a_repeated_request_is_the_same_payment(till: Till) -> None:
    """A client that repeats a request after a lost answer could pay twice."""
    booking = await till.book()
    first, again = [await till.pay(booking_id=booking, request_id="once") for _ in range(2)]
    assert (first.replayed, again.replayed, again.payment) == (False, True, first.payment)
    await till.refund(first.payment.payment_id)
    assert await till.pay(booking_id=booking, request_id="once") == again, (
        "it is the first response"
    )
    other = await refused(till.pay("tok_other", booking_id=booking, request_id="once"))
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"
    poor = await till.book()
    for replayed in (None, "true"):
        declined = await refused(till.pay("tok_decline", booking_id=poor, request_id="declined"))
        assert (declined.reason, declined.metadata.get("replayed")) == (
            "PAYMENT_DECLINED",
            replayed,
        )
    assert len(till.execute("SELECT id FROM sandbox_charges")) == 2


async def test_forged_and_foreign_webhooks_change_nothing(till: Till) -> None:
    """Anybody could confirm bookings by claiming that they are paid."""
    payment = await till.paid("tok_lost")
    body = orjson.dumps({"charge": {"id": payment.payment_id, "status": "SUCCEEDED"}})
    signed = till.sandbox.sign("evt_1", body, datetime.now(UTC))
    forged = await refused(till.receive(body + b" ", signed))
    assert forged.reason == "BAD_REQUEST"
    unsigned = await refused(till.receive(body, {}))
    assert unsigned.reason == "BAD_REQUEST"
    unknown = await refused(till.receive(body, signed, provider="nobody"))
    assert unknown.reason == "NOT_FOUND"
    stranger = payments_pb2.Payment(payment_id=str(uuid4()))
    await till.send(stranger, PRICE)
    await till.receive(body, signed)  # news that have no amount are none of a charge
    assert till.execute("SELECT id FROM provider_events") == []
    assert (await till.get(payment.payment_id)).status == CREATED


async def test_another_amount_is_paid_back_and_confirms_nothing(till: Till) -> None:
    """A seat could be had for a cent."""
    payment = await till.paid("tok_lost")
    await till.send(payment, 1)
    found = await till.get(payment.payment_id)
    assert found.status == REFUND_DUE
    [(mismatched, received)] = till.execute("SELECT mismatched, received_minor FROM payments")
    assert (mismatched, received) == (True, 1)
    await till.until_it_is(REFUNDED, payment)
    assert (await till.get(payment.payment_id)).refunded == euros(1)
    assert (await till.paid(booking_id=payment.booking_id)).status == SUCCEEDED


async def test_a_payment_that_is_open_when_its_hold_ends_is_cancelled(
    till: Till, database: Database
) -> None:
    """Seats could stay held for ever by a payment that nobody finishes, or be paid afterwards."""
    reservation = await till.hall.hold(5)
    payment = await till.paid("tok_lost", reservation_id=reservation)
    # As if the charge had never reached the provider.
    till.execute("DELETE FROM sandbox_charges")
    clock_forward(database, seconds=1_900)
    await till.until_it_is(FAILED, payment)
    assert (await refused(till.pay(reservation_id=reservation))).reason == "HOLD_EXPIRED"
    [(outcome,)] = till.execute("SELECT outcome FROM sandbox_charges")
    assert outcome == "FAILED"
    # If the money came all the same, it buys the seats: they are still free.
    await till.send(payment, PRICE)
    regained = await till.get(payment.payment_id)
    assert regained.status == SUCCEEDED
    assert (await till.hall.get(regained.ticket_id)).status == VALID
    assert drift(database) == []


async def test_a_first_response_is_kept_once_the_provider_has_answered(till: Till) -> None:
    """A client could get two responses for one key, or never the answer of its provider."""
    for token, first, last in (("tok_twice", CREATED, CREATED), ("tok_lost", CREATED, SUCCEEDED)):
        asked: dict[str, Any] = {"booking_id": await till.book(), "request_id": token}
        payment = (await till.pay(token, **asked)).payment
        assert payment.status == first
        await till.until_it_is(SUCCEEDED, payment)
        assert (await till.pay(token, **asked)).payment.status == last


async def test_requests_with_one_key_get_one_response(till: Till) -> None:
    """Two repeated requests that finish at the same moment could be answered differently."""
    asked: dict[str, Any] = {"booking_id": await till.book(), "request_id": "at-once"}
    done = await asyncio.gather(
        *(till.pay("tok_slow_100", **asked) for _ in range(4)), return_exceptions=True
    )
    answers = [answer for answer in done if not isinstance(answer, BaseException)]
    assert len({answer.payment.SerializeToString() for answer in answers}) == 1
    refusals = {getattr(refusal, "reason", "") for refusal in done if refusal not in answers}
    assert refusals <= {"REQUEST_IN_PROGRESS"}


async def test_refunds_add_up_and_are_paid_back(till: Till) -> None:
    """More could be paid back than was paid, or nothing at all."""
    payment = await till.paid()
    first, again = [
        await till.refund(payment.payment_id, amount=euros(400), request_id="part")
        for _ in range(2)
    ]
    assert (first.payment.status, first.replayed) == (REFUND_DUE, False)
    assert (again.payment.status, again.replayed) == (REFUND_DUE, True)
    part = await till.until_it_is(SUCCEEDED, payment)
    assert part.refunded == euros(400)
    too_much = await refused(till.refund(payment.payment_id, amount=euros(501)))
    assert fields_of(too_much) == ["amount"]
    other = await refused(till.refund(payment.payment_id, amount=euros(1, "USD")))
    assert fields_of(other) == ["amount.currency"]
    assert (await till.refund(payment.payment_id)).payment.status == REFUND_DUE
    assert (await till.until_it_is(REFUNDED, payment)).refunded == euros(PRICE)
    assert till.execute("SELECT refunded_minor FROM sandbox_charges") == [(PRICE,)]
    assert (await till.hall.get(payment.ticket_id)).status == REVOKED


async def test_payments_are_seen_by_those_who_may(till: Till) -> None:
    """People could see or refund the payments of others."""
    request = till.hall.hold(6, who=ADA)
    payment = (await till.pay(who=ADA, reservation_id=await request)).payment
    for who in ("", account("bob")):
        assert (await refused(till.get(payment.payment_id, who))).reason == "PAYMENT_NOT_FOUND"
    assert await till.get(payment.payment_id, ADA) == await till.get(payment.payment_id, OWNER)
    stranger = await refused(till.refund(payment.payment_id, account("bob")))
    assert stranger.reason == "PAYMENT_NOT_FOUND"
    of_guest = await till.paid()
    assert (await refused(till.refund(of_guest.payment_id, ADA))).reason == "PERMISSION_DENIED"


async def test_payments_of_a_user_are_paged(till: Till) -> None:
    """A user could miss a payment, or see one twice."""
    booking = await till.hall.book(CONCERT, "bea")
    for _ in range(2):
        await refused(till.pay("tok_decline", booking_id=booking))
    last = await till.paid(booking_id=booking)
    shown: list[Any] = []
    token = ""
    for expected in (2, 1):
        request = payments_pb2.ListUserPaymentsRequest(user_id="bea", page_size=2, page_token=token)
        page = await till.call("ListUserPayments", request)
        assert len(page.payments) == expected
        shown, token = [*shown, *page.payments], page.next_page_token
    assert [each.status for each in shown] == [SUCCEEDED, FAILED, FAILED]
    assert (shown[0], len({each.payment_id for each in shown})) == (last, 3)
