import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.bookings.errors import WebhookRejected
from services.bookings.payments.provider import (
    NewCharge,
    NewRefund,
    ProviderUnavailable,
    Refunded,
    Status,
)
from services.bookings.payments.provider_events import Webhook
from services.bookings.payments.sandbox import Sandbox
from services.bookings.payments.sandbox_webhooks import SandboxWebhooks
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal, Unavailable

SECRET, OTHER_SECRET = "whsec_c2FuZGJveA==", "whsec_b3RoZXI="
ASKED = 900
PENDING, SUCCEEDED, FAILED = Status


@pytest.fixture
async def sandbox(pool: Pool) -> Sandbox:
    """Returns the sandbox."""
    return Sandbox(pool, SECRET)


def charge(token: str, payment_id: UUID | None = None) -> NewCharge:
    """Makes a charge of 9 euros."""
    return NewCharge(payment_id or uuid4(), ASKED, "EUR", token)


def refund(payment_id: UUID, amount_minor: int) -> NewRefund:
    """Makes a refund."""
    return NewRefund(uuid4(), payment_id, None, amount_minor, "EUR")


async def sent(sandbox: Sandbox, pool: Pool) -> list[tuple[str, Status]]:
    """Sends all webhooks, due or not; returns their ids and statuses as they are read."""
    found = []

    async def receive(_: str, webhooks: Sequence[Webhook]) -> list[None]:
        for body, headers in webhooks:
            event = sandbox.read_webhook(body, headers)
            assert event is not None
            found.append((event.id, event.charged.status))
        return [None] * len(webhooks)

    async with pool.connection() as connection:
        await connection.execute("UPDATE sandbox_webhooks SET due_at = now() - interval '1 second'")
    webhooks = SandboxWebhooks(pool, sandbox, receive)
    while await webhooks.send():
        pass
    return found


@pytest.mark.parametrize(
    ("token", "first", "last"),
    [
        ("tok_ok", SUCCEEDED, [SUCCEEDED]),
        ("tok_decline", FAILED, [FAILED]),
        ("tok_that_nobody_knows", FAILED, [FAILED]),
        ("tok_slow_20", SUCCEEDED, [SUCCEEDED]),
        ("tok_twice", PENDING, [SUCCEEDED, SUCCEEDED, PENDING]),
    ],
)
async def test_a_charge_does_what_its_token_says(
    sandbox: Sandbox, pool: Pool, token: str, first: Status, last: list[Status]
) -> None:
    """Developers could not bring about the answers that their programs must cope with."""
    charged = await sandbox.start(charge(token))
    assert (charged.status, charged.amount_minor, charged.currency) == (first, ASKED, "EUR")
    webhooks = await sent(sandbox, pool)
    assert [status for _, status in webhooks] == last
    assert len(set(webhooks)) == len(set(last))


async def test_a_lost_charge_is_known_only_to_those_who_ask(sandbox: Sandbox, pool: Pool) -> None:
    """A payment that must be looked up could not be tried out."""
    asked = charge("tok_lost")
    with pytest.raises(ProviderUnavailable):
        await sandbox.start(asked)
    assert await sent(sandbox, pool) == []
    found = await sandbox.look_up(asked.payment_id, None)
    assert found
    assert found.status is SUCCEEDED


async def test_a_payment_is_charged_once(sandbox: Sandbox) -> None:
    """A repeated call could take the money twice, as no real provider would."""
    asked = charge("tok_ok")
    first, second = await asyncio.gather(*(sandbox.start(asked) for _ in range(2)))
    assert first == second == await sandbox.look_up(asked.payment_id, None)
    assert await sandbox.refund(refund(asked.payment_id, ASKED + 1)) == Refunded(FAILED)


async def test_a_cancelled_charge_never_succeeds(sandbox: Sandbox, pool: Pool) -> None:
    """Money could move after the seats were given to somebody else, or a webhook say so."""
    slow, unknown = charge("tok_slow_600000"), charge("tok_ok")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await sandbox.start(slow)
    for asked in (slow, unknown):
        assert (await sandbox.cancel(asked.payment_id, None)).status is FAILED
        assert (await sandbox.start(asked)).status is FAILED
    assert await sent(sandbox, pool) == []
    done = charge("tok_ok")
    await sandbox.start(done)
    assert (await sandbox.cancel(done.payment_id, None)).status is SUCCEEDED


async def test_refunds_never_exceed_their_charge(sandbox: Sandbox) -> None:
    """More could be paid back than was received, by one refund or by several."""
    asked = charge("tok_ok")
    await sandbox.start(asked)
    part = refund(asked.payment_id, 400)
    assert await sandbox.refund(part) == await sandbox.refund(part)
    rest = [refund(asked.payment_id, 300) for _ in range(4)]
    outcomes = [each.status for each in await asyncio.gather(*map(sandbox.refund, rest))]
    assert sorted(outcomes) == [FAILED, FAILED, FAILED, SUCCEEDED]
    assert await sandbox.refund(refund(uuid4(), 1)) == Refunded(FAILED)


async def test_a_webhook_that_was_not_received_comes_again(sandbox: Sandbox, pool: Pool) -> None:
    """News of a charge could get lost when their receiver fails."""

    async def fail(*_: object) -> list[None]:
        raise ConnectionError

    async def fail_first(_: str, webhooks: Sequence[Webhook]) -> list[Refusal | None]:
        return [Unavailable(), *[None] * (len(webhooks) - 1)]

    for token in ("tok_ok", "tok_decline", "tok_decline"):
        await sandbox.start(charge(token))
    webhooks = SandboxWebhooks(pool, sandbox, fail_first)
    with pytest.raises(Unavailable):
        await webhooks.send()
    assert not await webhooks.send()
    async with pool.connection() as connection:
        await connection.execute("UPDATE sandbox_webhooks SET due_at = now() - interval '1 second'")
    with pytest.raises(ConnectionError):
        await SandboxWebhooks(pool, sandbox, fail).send()
    assert [status for _, status in await sent(sandbox, pool)] == [SUCCEEDED]


BODY = (
    b'{"type":"charge.succeeded","charge":{"id":"6f1c1f0e-2d3b-4c5a-8e9f-0a1b2c3d4e5f",'
    b'"status":"SUCCEEDED","amount_minor":900,"currency":"EUR"}}'
)


def test_a_webhook_of_the_sandbox_is_read(sandbox: Sandbox) -> None:
    """A provider's news could be refused, or read as something else."""
    headers = sandbox.sign("evt_1", BODY, datetime.now(UTC))
    event = sandbox.read_webhook(BODY, headers)
    assert event
    assert (event.id, event.charged.status, event.charged.amount_minor) == ("evt_1", SUCCEEDED, 900)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_webhook_is_rejected(sandbox: Sandbox, minutes: int) -> None:
    """Somebody who recorded a webhook could send it again long after."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(WebhookRejected):
        sandbox.read_webhook(BODY, sandbox.sign("evt_1", BODY, at))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-signature", ""),
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,%%%"),
        ("webhook-signature", "v1,\u00e9\u00e9\u00e9="),
        ("webhook-signature", "v2,AAAA"),
        ("webhook-id", "evt_2"),
        ("webhook-timestamp", "nan"),
        ("webhook-timestamp", "1764416000"),
    ],
)
def test_altered_headers_are_rejected(sandbox: Sandbox, header: str, value: str) -> None:
    """A forged webhook could confirm a booking, or end as a defect."""
    headers = sandbox.sign("evt_1", BODY, datetime.now(UTC).replace(microsecond=0)) | {
        header: value
    }
    with pytest.raises(WebhookRejected):
        sandbox.read_webhook(BODY, headers)


async def test_altered_bodies_and_other_secrets_are_rejected(sandbox: Sandbox, pool: Pool) -> None:
    """A forged webhook could confirm a booking."""
    now = datetime.now(UTC)
    for body in (BODY.replace(b"900", b"901"), BODY + b" ", b"\xff", b""):
        with pytest.raises(WebhookRejected):
            sandbox.read_webhook(body, sandbox.sign("evt_1", BODY, now))
    with pytest.raises(WebhookRejected):
        sandbox.read_webhook(BODY, Sandbox(pool, OTHER_SECRET).sign("evt_1", BODY, now))
    with pytest.raises(WebhookRejected):
        sandbox.read_webhook(BODY, {})


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"hello",
        b'{"type":"balance"}',
        BODY.replace(b"900", b'"900"'),
        BODY.replace(b"900", b"true"),
        b'{"charge":{"id":6,"status":"SUCCEEDED","amount_minor":900,"currency":"EUR"}}',
        BODY.replace(b"6f1c", b"zzzz"),
        BODY.replace(b'"SUCCEEDED"', b'"RICH"'),
        BODY.replace(b"900", b"-1"),
        BODY.replace(b"900", str(2**63).encode()),
        BODY.replace(b"900", str(10**400).encode()),
        BODY.replace(b"EUR", b"E\\u0000R"),
    ],
)
def test_news_of_anything_else_is_none(sandbox: Sandbox, body: bytes) -> None:
    """A provider that sends other events, too, would be told to send them again for ever."""
    headers = sandbox.sign("evt_1", body, datetime.now(UTC))
    assert sandbox.read_webhook(body, headers) is None


def test_an_id_that_cannot_be_stored_is_none(sandbox: Sandbox) -> None:
    """An event that the database refuses would be a defect, and be sent again for ever."""
    for event_id in ("x" * 256, "evt\x00"):
        headers = sandbox.sign(event_id, BODY, datetime.now(UTC))
        assert sandbox.read_webhook(BODY, headers) is None
