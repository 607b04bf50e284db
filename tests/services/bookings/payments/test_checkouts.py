from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from psycopg_pool import PoolTimeout

from boxoffice.bookings.v1 import payments_pb2
from services.bookings.asks import idempotency_key
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.payment_commands import StartPayment
from services.bookings.payments import messages
from services.bookings.payments.attempts import Attempts
from services.bookings.payments.checkouts import CREATE, Checkouts
from services.bookings.payments.details import NewPayment, PaymentRequest
from services.bookings.payments.payments import Payments
from services.bookings.payments.provider import Charged, NewCharge
from services.bookings.payments.providers import Providers
from services.bookings.references import BookingName
from services.bookings.reservations.reservations import Reservations
from services.kit.database import idempotency
from services.kit.database.idempotency import Result
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import OutcomeUnknown
from tests.services.batch_items import batch, reason
from tests.services.bookings.asking import GUEST, booked, party
from tests.services.bookings.payments.conftest import Till
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import ScriptedProvider
from tests.services.bookings.tickets.conftest import FREE

SUCCEEDED = payments_pb2.PAYMENT_STATUS_SUCCEEDED


def request(booking_id: int, by: str = "tok_ok", key: str = "") -> Message:
    """Makes a request to pay."""
    return payments_pb2.CreatePaymentRequest(
        booking_id=booking_id, method="card", token=by, request_id=key
    )


async def pay(till: Till, *requests: Message) -> list[Any]:
    """Pays in one batch of the gateway; returns the results."""
    asked = batch(*requests, skip_busy=True)
    return list((await till.hall.running.batches.Batch(asked)).results)


def response(result: Any) -> payments_pb2.CreatePaymentResponse:
    """Reads the response of an item."""
    return payments_pb2.CreatePaymentResponse.FromString(result.response)


async def test_each_payment_of_a_batch_gets_its_own_answer(till: Till) -> None:
    """A card that is declined, or a provider that is slow, would take all others along."""
    paid, poor, slow, shown = [await till.book() for _ in range(4)]
    results = await pay(
        till,
        request(paid),
        request(poor, "tok_decline"),
        request(slow, "tok_slow_60000"),
        request(shown, "4111111111111111"),
        request(await till.book(FREE)),
        request(10**9),
    )
    assert response(results[0]).payment.status == SUCCEEDED
    assert results[2].busy
    assert list(map(reason, results)) == [
        "",
        "PAYMENT_DECLINED",
        "",
        "VALIDATION_ERROR",
        "ALREADY_PAID",
        "BOOKING_NOT_FOUND",
    ]
    begun = till.execute("SELECT booking_id FROM payments ORDER BY booking_id")
    assert begun == [(paid,), (poor,)], "what is busy has not begun"


async def test_payments_of_a_batch_share_their_transactions(till: Till) -> None:
    """A rush of buyers would wait for three commits each."""
    results = await pay(till, *[request(await till.book()) for _ in range(8)])
    assert [response(result).payment.status for result in results] == [SUCCEEDED] * 8
    for table in ("payments", "sandbox_charges", "tickets"):
        assert len(set(till.execute(f"SELECT xmin::text FROM {table}"))) == 1
    assert len(till.execute("SELECT id FROM tickets WHERE valid_at IS NOT NULL")) == 8


async def test_requests_of_a_batch_with_one_key_are_one_payment(till: Till) -> None:
    """Somebody whose request a proxy repeats would pay twice, or be told of two payments."""
    booking, poor = [await till.book() for _ in range(2)]
    declined = request(poor, "tok_decline", "other")
    results = await pay(till, *[request(booking, key="once"), declined] * 2)
    first, _, again, _ = results
    assert response(again).payment == response(first).payment
    assert (response(first).replayed, response(again).replayed) == (False, True)
    assert [reason(results[number]) for number in (1, 3)] == ["PAYMENT_DECLINED"] * 2
    assert len(till.execute("SELECT id FROM sandbox_charges")) == 2


async def test_requests_of_a_batch_for_one_booking_take_its_price_once(till: Till) -> None:
    """A buyer with two devices would pay twice, and get one of the payments back."""
    booking = await till.book()
    first, second = await pay(till, request(booking, key="one"), request(booking, key="other"))
    assert response(first).payment.status == SUCCEEDED
    assert reason(second) == "REQUEST_IN_PROGRESS"
    assert len(till.execute("SELECT id FROM sandbox_charges")) == 1


def of(booking: Booking) -> PaymentRequest:
    """Makes a request to pay a booking, whose user is the key."""
    new = NewPayment(BookingName(booking_id=booking.id), "card", "")
    return PaymentRequest(new, GUEST, booking.user_id)


class Interrupted:
    """Starts payments in one transaction, and finds no connection for another one."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._has_started = False

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        """See Decider."""
        starts = any(isinstance(ask.command, StartPayment) for ask in asks)
        if starts and self._has_started:
            raise PoolTimeout
        self._has_started |= starts
        return await self._inventory.decide(asks, skip_busy=skip_busy)


@pytest.fixture
def asking(pool: Pool, inventory: Inventory, provider: ScriptedProvider, desk: Desk) -> Checkouts:
    """Returns checkouts for bookings of the concert."""
    providers = Providers([provider])
    return Checkouts(pool, inventory, providers, desk.attempts, Payments(pool))


async def test_a_payment_that_its_node_does_not_show_yet_fails_no_other(
    pool: Pool, asking: Checkouts, reservations: Reservations
) -> None:
    """A cluster that recovers from a crash would refuse all payments of a batch."""
    [ada, bob] = await booked(reservations, [party(1, name) for name in ("ada", "bob")])
    key = idempotency_key(GUEST, CREATE, "ada", 1, ada.id, "card", "")
    assert key
    begun = messages.incomplete(uuid4()).SerializeToString()
    async with pool.connection() as connection:
        await idempotency.store(connection, [Result(key, is_refusal=False, response=begun)])
    first, other = await asking.pay([of(ada), of(bob)], skip_busy=False)
    assert isinstance(first, OutcomeUnknown)
    assert isinstance(other, payments_pb2.CreatePaymentResponse)
    assert other.payment.status == SUCCEEDED


class Confused(ScriptedProvider):
    """A provider that answers its first charge with nonsense."""

    async def start(self, charge: NewCharge) -> Charged:
        """Returns the charge."""
        if not self.asked:
            self.asked["start", charge.payment_id] += 1
            raise ValueError("an amount in letters")
        return await super().start(charge)


@pytest.mark.usefixtures("desk")
async def test_an_answer_that_makes_no_sense_fails_its_own_payment(
    pool: Pool, inventory: Inventory, reservations: Reservations
) -> None:
    """All who pay in the same moment would not know whether they have."""
    providers = Providers([Confused()])
    attempts = Attempts(pool, inventory, providers)
    checkouts = Checkouts(pool, inventory, providers, attempts, Payments(pool))
    made = await booked(reservations, [party(1, name) for name in ("ada", "bob")])
    first, other = await checkouts.pay([of(booking) for booking in made], skip_busy=False)
    assert isinstance(first, ValueError)
    assert isinstance(other, payments_pb2.CreatePaymentResponse)
    assert other.payment.status == SUCCEEDED


@pytest.mark.usefixtures("desk")
async def test_a_response_that_is_not_found_again_takes_no_payment_back(
    pool: Pool, inventory: Inventory, reservations: Reservations, provider: ScriptedProvider
) -> None:
    """Buyers whose money was taken would be told that certainly nothing was done."""
    decider, providers = Interrupted(inventory), Providers([provider])
    attempts = Attempts(pool, decider, providers)
    checkouts = Checkouts(pool, decider, providers, attempts, Payments(pool))
    made = await booked(reservations, [party(1, name) for name in ("ada", "bob")])
    ada, bob = map(of, made)
    first, again, other = await checkouts.pay([ada, ada, bob], skip_busy=False)
    for paid in (first, other):
        assert isinstance(paid, payments_pb2.CreatePaymentResponse)
        assert paid.payment.status == SUCCEEDED
    assert isinstance(again, OutcomeUnknown)
