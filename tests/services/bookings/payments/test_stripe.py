import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from services.bookings.inventory import Inventory
from services.bookings.payments.provider import (
    NewCharge,
    NewRefund,
    ProviderUnavailable,
    Refunded,
    Status,
)
from services.bookings.payments.provider_events import Webhook
from services.bookings.payments.stripe import Stripe, open_stripe
from services.bookings.payments.stripe_amounts import from_stripe, to_stripe
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.services.bookings.conftest import concert
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import PRICE
from tests.services.bookings.payments.stripe_stand_in import (
    KEY,
    NEXT_SECRET,
    StripeStandIn,
    event,
    signed,
    stripe_serving,
)

PENDING, SUCCEEDED, FAILED = Status


@pytest.fixture
async def both() -> AsyncIterator[tuple[StripeStandIn, Stripe]]:
    """Serves the stand-in of Stripe."""
    async with stripe_serving() as serving:
        yield serving


@pytest.fixture
def stand_in(both: tuple[StripeStandIn, Stripe]) -> StripeStandIn:
    """Returns the stand-in."""
    return both[0]


@pytest.fixture
def provider(both: tuple[StripeStandIn, Stripe]) -> Stripe:
    """Returns Stripe as a provider."""
    return both[1]


@pytest.fixture
async def desk(
    pool: Pool, inventory: Inventory, reservations: Reservations, provider: Stripe
) -> Desk:
    """Opens a priced concert whose payments Stripe takes."""
    priced = concert(1, price_amount_minor=PRICE, price_currency="EUR", one_booking_per_user=False)
    await inventory.apply(priced)
    return Desk(pool, inventory, reservations, provider)


def charge(amount_minor: int = PRICE, currency: str = "EUR") -> NewCharge:
    """Makes a charge."""
    return NewCharge(uuid4(), amount_minor, currency, "")


async def paid(stand_in: StripeStandIn, provider: Stripe) -> tuple[UUID, str]:
    """Pays a charge on the page of Stripe; returns its payment and its reference."""
    asked = charge()
    reference = (await provider.start(asked)).reference
    assert reference
    stand_in.pay(reference)
    return asked.payment_id, reference


async def test_the_payer_pays_on_a_page_of_stripe(
    stand_in: StripeStandIn, provider: Stripe
) -> None:
    """Card data could come near us, or a payer pay without it being known for which payment."""
    asked = charge()
    charged = await provider.start(asked)
    assert (charged.status, charged.amount_minor, charged.currency) == (PENDING, PRICE, "EUR")
    assert (charged.redirect_url, stand_in.headers["Authorization"]) == (
        "https://checkout.example/page",
        f"Bearer {KEY}",
    )
    [form] = stand_in.forms
    assert form["success_url"] == f"https://shop.example/paid/{asked.payment_id}"
    assert form["allowed_payment_method_types[0]"] == "card"
    assert charged.reference
    stand_in.pay(charged.reference)
    found = await provider.look_up(asked.payment_id, charged.reference)
    assert found
    assert (found.status, found.amount_minor, found.redirect_url) == (SUCCEEDED, PRICE, None)
    assert await provider.look_up(asked.payment_id, None) is None


@pytest.mark.parametrize("fault", ["", "lost", "429"])
async def test_a_payment_is_charged_once(
    stand_in: StripeStandIn, provider: Stripe, fault: str
) -> None:
    """A repeated call could show a second page, and the payer pay twice."""
    asked = charge()
    stand_in.faults = [fault]
    first = await provider.start(asked)
    assert await provider.start(asked) == first
    assert [*stand_in.sessions] == [first.reference]


@pytest.mark.parametrize("fault", ["500", "401", "slow"])
async def test_a_failing_provider_is_unavailable(
    stand_in: StripeStandIn, provider: Stripe, fault: str
) -> None:
    """A payment could count as declined while nobody knows, or the key get into the log."""
    stand_in.faults = [fault]
    with pytest.raises((ProviderUnavailable, TimeoutError)) as raised:
        async with asyncio.timeout(0.2 if fault == "slow" else 10):
            await provider.start(charge())
    assert "secret" not in str(raised.value)
    assert KEY not in repr(stand_in.account)
    assert NEXT_SECRET not in repr(stand_in.account)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Every payment could end as a defect while Stripe cannot be reached."""
    async with stripe_serving() as (gone, _):
        pass
    async with open_stripe(gone.account) as provider:
        with pytest.raises(ProviderUnavailable):
            await provider.look_up(uuid4(), "cs_1")


@pytest.mark.parametrize("amount", [None, 2**63])
async def test_an_answer_that_cannot_be_read_is_none(
    stand_in: StripeStandIn, provider: Stripe, amount: int | None
) -> None:
    """A worker could fail at one payment again and again, as if it were a defect of ours."""
    payment_id, reference = await paid(stand_in, provider)
    stand_in.sessions[reference]["amount_total"] = amount
    with pytest.raises(ProviderUnavailable):
        await provider.look_up(payment_id, reference)


async def test_what_stripe_refuses_is_declined(stand_in: StripeStandIn, provider: Stripe) -> None:
    """A payment could stay open that can never be paid."""
    with capture_logs() as logs:
        declined = [
            await provider.start(charge(amount, currency))
            for amount, currency in ((1, "EUR"), (1_005, "KWD"), (500, "UGX"))
        ]
    assert [each.status for each in declined] == [FAILED] * 3
    assert [each["log_level"] for each in logs] == ["error"] * 3
    assert stand_in.sessions == {}


async def test_a_cancelled_charge_cannot_be_paid(stand_in: StripeStandIn, provider: Stripe) -> None:
    """Money could move after the seats were given to somebody else."""
    asked = charge()
    reference = (await provider.start(asked)).reference
    assert reference
    for _ in range(2):
        assert (await provider.cancel(asked.payment_id, reference)).status is FAILED
    assert stand_in.sessions[reference]["status"] == "expired"
    payment_id, reference = await paid(stand_in, provider)
    assert (await provider.cancel(payment_id, reference)).status is SUCCEEDED
    assert (await provider.cancel(uuid4(), None)).status is FAILED


async def test_refunds_never_exceed_their_charge(stand_in: StripeStandIn, provider: Stripe) -> None:
    """More could be paid back than was received, by one refund or by several."""
    payment_id, reference = await paid(stand_in, provider)
    part = NewRefund(uuid4(), payment_id, reference, 400, "EUR")
    assert await provider.refund(part) == await provider.refund(part)
    rest = [NewRefund(uuid4(), payment_id, reference, 300, "EUR") for _ in range(3)]
    outcomes = [each.status for each in await asyncio.gather(*map(provider.refund, rest))]
    assert sorted(outcomes) == [FAILED, FAILED, SUCCEEDED]
    nothing = NewRefund(uuid4(), payment_id, None, 1, "EUR")
    assert await provider.refund(nothing) == Refunded(FAILED)


async def test_a_refund_is_found_after_its_key_is_forgotten(
    stand_in: StripeStandIn, provider: Stripe
) -> None:
    """A refund that is tried again after a day could be paid back twice."""
    payment_id, reference = await paid(stand_in, provider)
    refund = NewRefund(uuid4(), payment_id, reference, 400, "EUR")
    stand_in.refunds_are = "pending"
    assert (await provider.refund(refund)).status is PENDING
    stand_in.keys.clear()
    for status, expected in (("succeeded", SUCCEEDED), ("failed", FAILED), ("canceled", FAILED)):
        stand_in.refunds[0]["status"] = status
        assert (await provider.refund(refund)).status is expected
    assert len(stand_in.refunds) == 1


async def test_a_refund_waits_for_the_balance(stand_in: StripeStandIn, provider: Stripe) -> None:
    """A refund could be given up because the account is empty for a day."""
    payment_id, reference = await paid(stand_in, provider)
    refund = NewRefund(uuid4(), payment_id, reference, 400, "EUR")
    stand_in.balance = 0
    with pytest.raises(ProviderUnavailable):
        await provider.refund(refund)
    stand_in.balance = 400
    assert (await provider.refund(refund)).status is SUCCEEDED


@pytest.mark.parametrize(
    ("amount_minor", "currency", "at_stripe"),
    [
        (900, "EUR", 900),
        (900, "JPY", 900),
        (1_230, "KWD", 1_230),
        (900, "ISK", 90_000),
        (900, "MGA", 9),
        (901, "MGA", None),
        (1_234, "KWD", None),
        (900, "UGX", None),
    ],
)
def test_amounts_are_in_the_units_of_stripe(
    amount_minor: int, currency: str, at_stripe: int | None
) -> None:
    """Somebody could pay a hundredth or a hundredfold."""
    assert to_stripe(amount_minor, currency) == at_stripe
    if at_stripe is not None:
        assert from_stripe(at_stripe, currency) == amount_minor


async def test_a_webhook_of_stripe_confirms_its_booking(
    desk: Desk, stand_in: StripeStandIn
) -> None:
    """Somebody who has paid on the page of Stripe could be left without a ticket."""
    payment_id = await desk.begin()
    started = await desk.start(payment_id)
    assert started.redirect_url == "https://checkout.example/page"
    [reference] = stand_in.sessions
    await desk.make_due(age="70 seconds")
    await desk.looks.look()
    assert await desk.status(payment_id) == "CREATED"
    body = event(stand_in.pay(reference))
    for _ in range(2):
        await desk.events.receive("stripe", [Webhook(body, signed(body))])
    assert await desk.status(payment_id) == "SUCCEEDED"
    assert await desk.read("SELECT status FROM bookings") == [("CONFIRMED",)]


async def test_a_page_is_shown_only_while_its_payment_is_under_way(
    desk: Desk, stand_in: StripeStandIn
) -> None:
    """A payer could pay on a page whose payment has ended, because its answer was lost."""
    payment_id = await desk.begin()
    stand_in.faults = ["slow"]
    starting = asyncio.create_task(desk.start(payment_id))
    await stand_in.until_asked()
    await desk.make_due(age="70 seconds")
    await desk.looks.look()
    assert await desk.status(payment_id) == "FAILED"
    stand_in.gate.set()
    assert (await starting).redirect_url is None
    assert len(stand_in.sessions) == 1


async def test_an_open_page_is_closed_when_the_hold_ends(
    desk: Desk, stand_in: StripeStandIn
) -> None:
    """A payer could pay for seats that somebody else has by then."""
    payment_id = await desk.begin()
    await desk.start(payment_id)
    await desk.make_due(age="31 minutes")
    await desk.looks.look()
    assert await desk.status(payment_id) == "FAILED"
    [session] = stand_in.sessions.values()
    assert session["status"] == "expired"


def test_the_library_is_imported_only_when_configured() -> None:
    """Bookings could need the library, and a second more to start, without using Stripe."""
    code = "import sys, services.bookings.__main__; print('stripe' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "False"
