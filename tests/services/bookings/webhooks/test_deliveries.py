import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY
from standardwebhooks.webhooks import WebhookVerificationError

from services.bookings.feed.changes import Changes
from services.bookings.feed.cursor import Cursor
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.bookings.webhooks import sending
from services.bookings.webhooks.deliveries import RETRY_SECONDS, SQL, Deliveries
from services.bookings.webhooks.webhooks import Delivery, Webhook, WebhookFields
from tests.conftest import Database
from tests.services.bookings.feed.door import Door
from tests.services.bookings.webhooks.conftest import OWNER, Box
from tests.services.bookings.webhooks.receiver import Receiver, receiving
from tests.services.conditions import until_blocked


async def test_changes_arrive_in_order_signed_and_as_the_feed_has_them(
    box: Box, receiver: Receiver
) -> None:
    """A receiver could not tell our requests from those of others."""
    _, secret = await box.register(receiver.url)
    await box.book("ada", "bob", "eve")
    await box.deliver()
    page = await Changes(box.pool).list_changes(OWNER, Cursor(0), (), 10)
    listed = [change.entry for change in page.changes[1:]]
    assert [{**change, "reference": None} for change in receiver.changes] == [
        {**entry, "reference": None} for entry in listed
    ]
    assert receiver.revisions == [2, 3, 4]
    receiver.verify(secret)
    headers, _ = receiver.requests[-1]
    assert headers["webhook-id"] == "1-4"
    assert not await box.deliveries.deliver()


async def test_only_the_types_that_were_chosen_are_sent(box: Box, receiver: Receiver) -> None:
    """The others would keep the worker busy, since they are never delivered."""
    await box.register(receiver.url, "CANCELLED")
    await box.book("ada")
    await box.deliver()
    assert receiver.requests == []
    assert not await box.deliveries.deliver()


async def test_admissions_are_sent_like_other_changes(
    box: Box, receiver: Receiver, inventory: Inventory, reservations: Reservations
) -> None:
    """A program at the entrance would have to ask for the bundle again and again."""
    await box.register(receiver.url, "CHECKED_IN", "DOUBLE_ADMISSION")
    door = Door(box.pool, inventory, reservations)
    sold = await door.sell("ada")
    for nonce in ("one", "two"):
        await door.scan(sold, nonce, datetime.now(UTC))
    await box.tail.advance()
    await box.deliver()
    sent = [(change["type"], change["ticket_id"]) for change in receiver.changes]
    ticket_id = str(sold.ticket_id)
    assert sent == [("CHECKED_IN", ticket_id), ("DOUBLE_ADMISSION", ticket_id)]
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert ids == [change["id"] for change in receiver.changes]
    assert len(set(ids)) == 2


async def test_changes_of_others_are_not_sent(box: Box, receiver: Receiver) -> None:
    """Anybody could read the bookings of any event."""
    await box.webhooks.create("acct_other", WebhookFields(receiver.url))
    await box.book("ada")
    await box.deliver()
    assert receiver.requests == []


async def test_a_failure_is_repeated_later_and_holds_up_what_follows(
    box: Box, receiver: Receiver
) -> None:
    """A change would be lost, or arrive before an earlier one of its event."""
    webhook_id, _ = await box.register(receiver.url)
    receiver.status = 500
    await box.book("ada", "bob")
    for pause in (*RETRY_SECONDS, RETRY_SECONDS[-1]):
        await box.deliver()
        assert await seconds_until_due(box) == pytest.approx(pause, abs=2)
        await box.later()
    assert set(receiver.revisions) == {2}
    assert (await shown(box)).failing_since is not None
    receiver.status = 204
    await box.deliver()
    assert receiver.revisions[-2:] == [2, 3]
    assert (await shown(box)).failing_since is None
    log = await box.webhooks.list_deliveries(OWNER, webhook_id)
    assert [entry.status for entry in log][:3] == [204, 204, 500]
    assert [entry.change_id for entry in log][:3] == ["1-3", "1-2", "1-2"]


async def test_a_receiver_that_fails_for_three_days_is_disabled(
    box: Box, receiver: Receiver
) -> None:
    """It would be asked for ever; once enabled again it gets all that it missed."""
    webhook_id, _ = await box.register(receiver.url)
    receiver.status = 500
    await box.book("ada")
    await box.deliver()
    await box.execute("UPDATE webhooks SET failing_since = failing_since - interval '3 days'")
    await box.later()
    await box.deliver()
    assert disabled(await shown(box)) == ("DISABLED", "FAILING")
    await box.book("bob")
    await box.later()
    await box.deliver()
    assert receiver.revisions == [2, 2]
    receiver.status = 200
    await box.webhooks.update(OWNER, webhook_id, WebhookFields(status="ENABLED"))
    await box.deliver()
    assert receiver.revisions[2:] == [2, 3]
    assert disabled(await shown(box)) == ("ENABLED", "")


async def test_the_last_attempt_is_at_the_end_of_the_three_days(
    box: Box, receiver: Receiver
) -> None:
    """A receiver that fails would be asked for ten hours longer than its owner was told."""
    await box.register(receiver.url)
    receiver.status = 500
    await box.book("ada")
    for _ in RETRY_SECONDS:
        await box.deliver()
        await box.later()
    await box.execute("UPDATE webhooks SET failing_since = failing_since - interval '71 hours'")
    await box.deliver()
    assert await seconds_until_due(box) == pytest.approx(3_600, abs=60)


async def test_a_slow_receiver_does_not_keep_a_worker_from_others(
    box: Box, receiver: Receiver
) -> None:
    """A few that take seconds for each change would hold up all others for minutes."""
    order: list[str] = []
    async with receiving() as other:
        for each, name in ((receiver, "first"), (other, "second")):
            each.on_request = partial(order.append, name)
            await box.register(each.url)
        await box.book("ada", "bob", "eve")
        async with sending.open_sender(public_only=False) as sender:
            hasty = Deliveries(box.pool, Changes(box.pool), sender, turn_seconds=0)
            while await hasty.deliver():
                pass
    assert order == ["first", "second"] * 3


async def test_a_receiver_that_is_gone_is_disabled_at_once(box: Box, receiver: Receiver) -> None:
    """A receiver that has left would be called for three days."""
    await box.register(receiver.url)
    receiver.status = 410
    await box.book("ada", "bob")
    await box.deliver()
    assert receiver.revisions == [2]
    assert disabled(await shown(box)) == ("DISABLED", "GONE")


async def test_a_redirect_is_not_followed(box: Box, receiver: Receiver) -> None:
    """A public receiver could lead us to an address of our own network."""
    async with receiving() as inside:
        receiver.status, receiver.location = 307, inside.url
        webhook_id, _ = await box.register(receiver.url)
        await box.book("ada")
        await box.deliver()
        assert len(receiver.requests) == 1
        assert inside.requests == []
    assert (await last_delivery(box, webhook_id)).status == 307


async def test_a_receiver_that_is_down_or_slow_is_given_up(
    box: Box, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold a worker, and its owner would not learn why nothing arrives."""
    async with receiving() as down:
        webhook_id, _ = await box.register(down.url)
    await box.book("ada")
    await box.deliver()
    failed = await last_delivery(box, webhook_id)
    assert (failed.status, "connect" in failed.error) == (None, True)
    receiver.is_slow = True
    monkeypatch.setattr(sending, "SECONDS", 0.05)
    async with sending.open_sender(public_only=False) as hasty:
        await box.webhooks.update(OWNER, webhook_id, WebhookFields(receiver.url))
        await Deliveries(box.pool, Changes(box.pool), hasty).deliver()
    failed = await last_delivery(box, webhook_id)
    assert (failed.status, "no response" in failed.error) == (None, True)
    assert len(receiver.requests) == 1


async def test_in_production_a_name_that_leads_to_this_machine_is_not_called(
    box: Box, receiver: Receiver
) -> None:
    """Anybody could read and change what only our own network may."""
    webhook_id, _ = await box.register(receiver.url.replace("127.0.0.1", "localhost"))
    await box.book("ada")
    async with sending.open_sender(public_only=True) as guarded:
        await Deliveries(box.pool, Changes(box.pool), guarded).deliver()
    assert receiver.requests == []
    assert "public address" in (await last_delivery(box, webhook_id)).error
    await box.later()
    await box.deliver()
    assert len(receiver.requests) == 1, "without the guard it would have been called"


async def test_for_a_day_both_secrets_are_good(box: Box, receiver: Receiver) -> None:
    """Between the change of ours and of the receiver's secret all would be refused."""
    webhook_id, former = await box.register(receiver.url)
    _, secret = await box.webhooks.rotate_secret(OWNER, webhook_id)
    await box.book("ada")
    await box.deliver()
    for each in (former, secret):
        receiver.verify(each)
    await box.execute("UPDATE webhooks SET former_secret_until = clock_timestamp()")
    await box.book("bob")
    await box.deliver()
    receiver.verify(secret)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(former)


async def test_a_replay_sends_all_after_a_cursor_again(box: Box, receiver: Receiver) -> None:
    """A receiver that lost its data could not get them back."""
    webhook_id, _ = await box.register(receiver.url)
    await box.book("ada", "bob")
    await box.deliver()
    page = await Changes(box.pool).list_changes(OWNER, Cursor(0), (), 2)
    await box.webhooks.replay(OWNER, webhook_id, page.cursor)
    await box.deliver()
    assert receiver.revisions == [2, 3, 3]


async def test_a_worker_whose_lease_has_ended_changes_nothing(box: Box, receiver: Receiver) -> None:
    """A replay or an update that came meanwhile would be undone."""
    webhook_id, _ = await box.register(receiver.url)
    receiver.is_slow = True
    await box.book("ada", "bob")
    delivering = asyncio.create_task(box.deliveries.deliver())
    await receiver.has_request.wait()
    receiver.is_slow = False
    async with receiving() as other:
        await box.webhooks.update(OWNER, webhook_id, WebhookFields(other.url))
        await box.deliver()
        assert other.revisions == [2, 3]
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)
    assert not await box.deliveries.deliver()


@pytest.mark.parametrize("locks", [True, False])
async def test_two_workers_never_lease_one_webhook(
    box: Box, receiver: Receiver, database: Database, locks: bool
) -> None:
    """Without the lock the second would wait for the first, and then deliver the same."""
    await box.register(receiver.url)
    await box.book("ada")
    lease = SQL["lease"] if locks else SQL["lease"].replace(b"FOR UPDATE SKIP LOCKED", b"")
    values = {"lease_seconds": 30}
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


async def test_two_workers_deliver_to_one_webhook_in_turn(box: Box, receiver: Receiver) -> None:
    """Changes of one event would overtake each other."""
    await box.register(receiver.url)
    await box.book(*(f"user{number}" for number in range(8)))
    await asyncio.gather(*(box.deliver() for _ in range(4)))
    assert receiver.revisions == list(range(2, 10))


async def test_the_log_has_the_last_hundred_attempts(box: Box, receiver: Receiver) -> None:
    """The table would grow with each delivery, for ever."""
    webhook_id, _ = await box.register(receiver.url)
    await box.execute(
        "INSERT INTO deliveries (webhook_id, change_id, change_type, error, latency_ms)"
        f" SELECT '{webhook_id}', '1-1', 'OPENED', '', 1 FROM generate_series(1, 150)"
    )
    await box.book("ada")
    await box.deliver()
    log = await box.webhooks.list_deliveries(OWNER, webhook_id)
    assert len(log) == 100
    assert log[0].change_id == "1-2"


async def test_the_lag_is_a_metric(box: Box, receiver: Receiver) -> None:
    """Nobody would notice that deliveries have stopped, or one receiver that fails hide it."""
    await box.register(receiver.url)
    await box.book("ada")
    await box.execute("UPDATE feed_spans SET at = at - interval '1 hour'")
    assert await measured(box) == (pytest.approx(3_600, abs=60), 0)
    receiver.status = 500
    await box.deliver()
    assert await measured(box) == (0, 1)
    receiver.status = 200
    await box.later()
    await box.deliver()
    assert await measured(box) == (0, 0)


async def measured(box: Box) -> tuple[Any, Any]:
    """Measures; returns the lag in seconds, and how many webhooks fail."""
    await box.deliveries.measure()
    lag = REGISTRY.get_sample_value("boxoffice_webhook_lag_seconds")
    return lag, REGISTRY.get_sample_value("boxoffice_webhooks_failing")


async def shown(box: Box) -> Webhook:
    """Returns the one webhook, as its owner sees it."""
    [webhook] = await box.webhooks.list_webhooks(OWNER)
    return webhook


def disabled(webhook: Webhook) -> tuple[str, str]:
    """Returns whether and why a webhook is disabled."""
    return webhook.status, webhook.disabled_reason


async def last_delivery(box: Box, webhook_id: object) -> Delivery:
    """Returns the newest attempt."""
    found = await box.webhooks.list_deliveries(OWNER, webhook_id)  # type: ignore[arg-type]
    return found[0]


async def seconds_until_due(box: Box) -> float:
    """Returns when the webhook is tried again."""
    async with box.pool.connection() as connection:
        found = await connection.execute("SELECT due_at FROM webhooks")
        [due_at] = await found.fetchone() or (None,)
    assert isinstance(due_at, datetime)
    return (due_at - datetime.now(UTC)).total_seconds()
