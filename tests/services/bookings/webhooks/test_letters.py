import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
import pytest

from boxoffice.accounts.v1 import notices_pb2
from services.bookings.webhooks import messages
from services.bookings.webhooks.letters import SQL, Letter, WebhookLetters
from services.bookings.webhooks.webhooks import WebhookFields
from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable
from tests.conftest import Database
from tests.services.bookings.webhooks.conftest import OWNER, Box
from tests.services.bookings.webhooks.receiver import Receiver
from tests.services.conditions import until_blocked


@dataclass
class ScriptedAccounts:
    """Accepts letters, or refuses as a test says."""

    refusal: Refusal | None = None
    loses_the_answer: bool = False
    letters: list[Letter] = field(default_factory=list)

    async def send_notices(self, notices: Sequence[Letter]) -> None:
        """See outbox.Accounts."""
        if self.refusal:
            raise self.refusal
        self.letters += notices
        if self.loses_the_answer:
            raise OutcomeUnknown


@pytest.fixture
def accounts() -> ScriptedAccounts:
    """Returns accounts that accept all letters."""
    return ScriptedAccounts()


@pytest.fixture
def letters(box: Box, accounts: ScriptedAccounts) -> WebhookLetters:
    """Returns the worker, which sends only when a test calls it."""
    return WebhookLetters(box.pool, accounts)


async def disable(box: Box, receiver: Receiver, status: int = 410) -> None:
    """Delivers a change to a receiver that fails, or that is gone."""
    receiver.status = status
    await box.book("ada")
    await box.deliver()


async def due_again(box: Box) -> None:
    """Lets the pause after a refusal pass."""
    await box.execute(
        "UPDATE webhooks SET letter_due_at = clock_timestamp() WHERE letter_id IS NOT NULL"
    )


async def test_a_webhook_that_is_disabled_makes_one_letter_due(
    box: Box, receiver: Receiver, letters: WebhookLetters, accounts: ScriptedAccounts
) -> None:
    """An organizer's program would get nothing more, and nobody would notice."""
    webhook_id, _ = await box.register(receiver.url)
    assert not await letters.send()
    await disable(box, receiver)
    assert await letters.send()
    assert not await letters.send()
    [letter] = accounts.letters
    assert (letter.owner_id, letter.url, letter.reason) == (OWNER, receiver.url, "GONE")
    notice = messages.notice(letter)
    assert (notice.account_id, notice.webhook_url) == (OWNER, receiver.url)
    assert (notice.kind, notice.reference) == (
        notices_pb2.NOTICE_KIND_WEBHOOK_GONE,
        str(webhook_id),
    )


async def test_a_failure_is_no_reason_for_a_letter_before_three_days(
    box: Box, receiver: Receiver, letters: WebhookLetters, accounts: ScriptedAccounts
) -> None:
    """A receiver that is being replaced would cause mail for nothing."""
    await box.register(receiver.url)
    await disable(box, receiver, 500)
    assert not await letters.send()
    await box.execute("UPDATE webhooks SET failing_since = failing_since - interval '3 days'")
    await box.later()
    await box.deliver()
    assert await letters.send()
    assert [letter.reason for letter in accounts.letters] == ["FAILING"]


@pytest.mark.parametrize("answer", ["refused", "lost"])
async def test_a_letter_that_accounts_did_not_confirm_is_sent_again_with_the_same_id(
    box: Box, receiver: Receiver, letters: WebhookLetters, accounts: ScriptedAccounts, answer: str
) -> None:
    """It would be lost while accounts is down, or mailed twice when its answer is."""
    await box.register(receiver.url)
    await disable(box, receiver)
    accounts.refusal = Unavailable() if answer == "refused" else None
    accounts.loses_the_answer = answer == "lost"
    assert not await letters.send()
    assert not await letters.send(), "it is not due yet"
    accounts.refusal, accounts.loses_the_answer = None, False
    await due_again(box)
    assert await letters.send()
    await due_again(box)
    assert not await letters.send()
    assert len({letter.id for letter in accounts.letters}) == 1


async def test_each_time_a_webhook_is_disabled_has_a_letter_of_its_own(
    box: Box, receiver: Receiver, letters: WebhookLetters, accounts: ScriptedAccounts
) -> None:
    """Accounts would take the second for a repetition of the first."""
    webhook_id, _ = await box.register(receiver.url)
    await disable(box, receiver)
    assert await letters.send()
    await box.webhooks.update(OWNER, webhook_id, WebhookFields(status="ENABLED"))
    await box.deliver()
    assert await letters.send()
    assert len({letter.id for letter in accounts.letters}) == 2


async def test_an_owner_who_has_enabled_it_gets_no_letter(
    box: Box, receiver: Receiver, letters: WebhookLetters, accounts: ScriptedAccounts
) -> None:
    """The letter would describe what is over."""
    webhook_id, _ = await box.register(receiver.url)
    await disable(box, receiver)
    await box.webhooks.update(OWNER, webhook_id, WebhookFields(url=receiver.url))
    accounts.refusal = Unavailable()
    assert not await letters.send()
    await box.webhooks.update(OWNER, webhook_id, WebhookFields(status="ENABLED"))
    accounts.refusal = None
    assert not await letters.send()
    assert accounts.letters == []


@pytest.mark.parametrize("locks", [True, False])
async def test_two_replicas_never_lease_one_letter(
    box: Box, receiver: Receiver, database: Database, locks: bool
) -> None:
    """Without the lock the second would wait for the first, and then send the same letter."""
    await box.register(receiver.url)
    await disable(box, receiver)
    lease = SQL["lease_letters"]
    lease = lease if locks else lease.replace(b"FOR UPDATE SKIP LOCKED", b"")
    values = {"limit": 1}
    async with (
        box.pool.connection() as former,
        box.pool.connection() as latter,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watch,
    ):
        async with former.transaction():
            assert await (await former.execute(lease, values)).fetchone()
            leasing = asyncio.create_task(latter.execute(lease, values))
            if locks:
                await leasing
            else:
                await until_blocked(watch, 1)
        assert ((await (await leasing).fetchone()) is None) is locks
