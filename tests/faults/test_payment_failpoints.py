"""`kill -9` between a provider and the database: one ticket or one refund for money that moved."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import psycopg
import pytest
import pytest_asyncio

from boxoffice.bookings.v1 import payments_pb2
from boxoffice.type.v1 import money_pb2
from deploy.local.postgres.server import EmbeddedPostgres
from services.kit.rpc.errors import Refusal
from tests.conftest import cloned
from tests.faults.two_services import TwoServices
from tests.services.conditions import until

KILLED = -9
PRICE = money_pb2.Money(amount_minor=900, currency="EUR")
CHARGED, SENT = "bookings.payment.charged", "bookings.refund.sent"
PAYMENT_FAILPOINTS = (CHARGED, SENT)
SUCCEEDED, FAILED, REFUNDED = (
    payments_pb2.PAYMENT_STATUS_SUCCEEDED,
    payments_pb2.PAYMENT_STATUS_FAILED,
    payments_pb2.PAYMENT_STATUS_REFUNDED,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoServices]:
    """Runs events and bookings with the sandbox."""
    settings = {"BOOKINGS_PAYMENT_PROVIDERS": "sandbox"}
    with cloned(postgres) as database:
        folder = tmp_path_factory.mktemp("services")
        async with TwoServices(database, folder, settings=settings) as running:
            yield running


async def priced_booking(services: TwoServices) -> int:
    """Books a seat of a priced event; returns the number of the booking."""
    event = await services.organizer.create(total_seats=1, name="Concert", price=PRICE)
    return await services.buyer.reserve(event.id, "ada")


async def killed_while_paying(services: TwoServices, booking_id: int, failpoint: str) -> None:
    """Pays for a booking until the failpoint kills bookings, and starts it again."""
    await services.wait_until_consistent()  # so that nothing else reaches the failpoint
    await services.restart(services.bookings, BOXOFFICE_FAILPOINTS=failpoint)
    with contextlib.suppress(grpc.aio.AioRpcError, Refusal):
        await services.buyer.pay(booking_id, f"key-{booking_id}")
    await killed(services)


async def killed(services: TwoServices) -> None:
    """Waits until a failpoint has killed bookings, and starts it again."""
    assert await asyncio.to_thread(services.bookings.ended) == KILLED
    services.bookings.start()
    await services.wait_until_connected()


def hurry(services: TwoServices, *, age: str = "0 s") -> None:
    """Moves what is under way into the past, so that it is due; workers pass over locked rows."""
    with psycopg.connect(services.database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute(
            "UPDATE payments SET next_look_at = now(), created_at = created_at - %s::interval",
            [age],
        )
        connection.execute("UPDATE refunds SET next_try_at = now()")


async def until_it_is(
    services: TwoServices,
    status: payments_pb2.PaymentStatus.ValueType,
    booking_id: int,
    *,
    age: str = "0 s",
) -> None:
    """Waits until the payment of a booking has a status, though nobody repeats the request."""
    [(payment_id,)] = services.read_bookings(
        "SELECT id FROM payments WHERE booking_id = %s", booking_id
    )

    async def has_it() -> bool:
        return bool((await services.buyer.payment(str(payment_id))).status == status)

    hurry(services, age=age)
    await until(has_it)


def charged(services: TwoServices, booking_id: int) -> list[tuple[object, ...]]:
    """Returns amounts, charged and paid back, of all charges for a booking, and of its tickets."""
    return services.read_bookings(
        """
        SELECT sandbox_charges.amount_minor, sandbox_charges.refunded_minor, shown_tickets.status
        FROM payments
        JOIN sandbox_charges USING (id)
        JOIN shown_tickets ON shown_tickets.booking_id = payments.booking_id
        WHERE payments.booking_id = %s
        """,
        booking_id,
    )


@pytest.mark.parametrize(
    "failpoint",
    [
        "bookings.batch.committed=kill@1",  # the attempt is committed
        f"{CHARGED}=kill",
        "bookings.batch.decided=kill@2",
        "bookings.batch.committed=kill@2",  # the result is committed
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_repeated_payment_is_finished_after_a_crash(
    services: TwoServices, failpoint: str
) -> None:
    """A crash could leave somebody who has paid without a ticket, or make them pay twice."""
    booking = await priced_booking(services)
    await killed_while_paying(services, booking, failpoint)
    first, again = [await services.buyer.pay(booking, f"key-{booking}") for _ in range(2)]
    assert (first.status, again) == (SUCCEEDED, first)
    assert charged(services, booking) == [(900, 0, "VALID")]
    await services.wait_until_consistent()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_charge_is_found_after_a_crash(services: TwoServices) -> None:
    """Somebody who has paid, and does not ask again, could be left without a ticket."""
    booking = await priced_booking(services)
    await killed_while_paying(services, booking, f"{CHARGED}=kill")
    await until_it_is(services, SUCCEEDED, booking)
    assert charged(services, booking) == [(900, 0, "VALID")]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_attempt_that_never_reached_the_provider_fails(services: TwoServices) -> None:
    """A crash before the provider was called could keep a booking from being paid for ever."""
    booking = await priced_booking(services)
    await killed_while_paying(services, booking, "bookings.batch.committed=kill@1")
    await until_it_is(services, FAILED, booking, age="61 s")
    assert (await services.buyer.pay(booking, f"another-key-{booking}")).status == SUCCEEDED


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refund_is_paid_back_once_across_a_crash(services: TwoServices) -> None:
    """A crash could pay money back twice, or forget it."""
    booking = await priced_booking(services)
    await services.buyer.pay(booking, f"key-{booking}")
    await services.restart(services.bookings, BOXOFFICE_FAILPOINTS=f"{SENT}=kill")
    reference = await services.buyer.reference(booking)
    await services.buyer.cancel_by_reference(reference, f"cancel-{booking}")
    await killed(services)
    await until_it_is(services, REFUNDED, booking)
    assert charged(services, booking) == [(900, 900, "REVOKED")]
