"""The rules of the reference for payments and refunds."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

from services.bookings.inventory.commands import Command
from services.bookings.inventory.payment_commands import (
    RefundEvent,
    RefundPayment,
    SettlePayment,
    SettleRefund,
    StartPayment,
)
from tests.services.bookings.inventory import reference_seats
from tests.services.bookings.inventory.reference_event import Answer, Event, Money, Seats

NO_PAYMENT: Answer = ("PAYMENT_NOT_FOUND", None, None, None)
EXTENDED = timedelta(minutes=30)


def _start(event: Event, command: StartPayment, now: datetime, made: int | None) -> Answer:
    if made is None:
        return reference_seats.NO_RESERVATION
    if command.payment_id in event.payments:
        return _paid(event, event.payments[command.payment_id], "KEPT")
    seats = event.live.get(made)
    if seats is None:
        return ("HOLD_EXPIRED", event.rev, None, None)
    if not seats.price or (reason := _objection(event, seats, command)):
        return (reason if seats.price else "ALREADY_PAID", event.rev, None, None)
    money = event.payments[command.payment_id] = Money(made, seats.user, seats.price)
    if seats.ends_at is not None:
        seats.paying = True
        _extend(event, seats)
    return _paid(event, money, "PAID")


def _objection(event: Event, seats: Seats, command: StartPayment) -> str:
    paid = [each for each in event.payments.values() if each.made == seats.made]
    if any(each.left for each in paid):
        return "ALREADY_PAID"
    if any(each.state == "CREATED" for each in paid):
        return "REQUEST_IN_PROGRESS"
    is_other = command.amount is not None and command.amount != (seats.price, "EUR")
    return "VALIDATION_ERROR" if is_other else ""


def _extend(event: Event, seats: Seats) -> None:
    if seats.extended or seats.ends_at is None:
        return
    seats.extended = True
    if seats.made_at is not None:
        seats.ends_at = max(seats.ends_at, seats.made_at + EXTENDED)
    event.add_row("EXTENDED", seats.user, made=seats.made, ends_at=seats.ends_at, ids=seats.ids)


def _settle(event: Event, command: SettlePayment, now: datetime, made: int | None) -> Answer:
    money = event.payments.get(command.payment_id)
    if money is None or made is None:
        return NO_PAYMENT
    charge, before = command.charge, money.state
    got = charge.amount_minor if charge.succeeded else 0
    if before == "PAID" or (before == "FAILED" and not got):
        return _paid(event, money, "KEPT")
    seats = event.live.get(made) or event.gone[made][1]
    money.state = "PAID" if got else "FAILED"
    if got:
        is_bought = event.buyer(made) is not None
        money.got, money.wrong = got, (got, charge.currency) != (money.price, "EUR")
        if money.wrong or is_bought or not _gets_seats(event, seats, now):
            event.give_back(money, uuid5(command.payment_id, "rest"), got)
    has_ended = before == "CREATED" and _end_attempt(event, seats, now)
    answer = _paid(event, money, "PAID")
    if has_ended:
        event.serve_line(now)
    return answer


def _gets_seats(event: Event, seats: Seats, now: datetime) -> bool:
    """Confirms a booking, or takes the seats of one that has expired again if they are free."""
    if seats.made in event.live:
        reference_seats.confirm(event, seats.made, now)
        return True
    is_taken = not event.free.issuperset(seats.ids) if seats.ids else False
    is_second = seats.exclusive and event.exclusive_of(seats.user)
    is_full = bool(event.line) or event.taken + seats.count > event.room
    has_expired = event.gone[seats.made][0] == "EXPIRED"
    if not has_expired or is_taken or is_second or is_full or event.objection(now, None):
        return False
    if (seats.user, seats.ends_at) in event.let_go and seats.ends_at is not None:
        event.let_go.remove((seats.user, seats.ends_at))
    del event.gone[seats.made]
    event.over.remove(seats.made)
    event.live[seats.made] = seats
    seats.place = seats.ends_at = None
    seats.ticket = "VALID"
    event.add_row("REGAINED", seats.user, seats.count, made=seats.made, ids=seats.ids)
    return True


def _end_attempt(event: Event, seats: Seats, now: datetime) -> bool:
    if not seats.paying or seats.made not in event.live or seats.ends_at is None:
        return False
    seats.paying = False
    if seats.ends_at > now:
        event.look_at = min(event.look_at or seats.ends_at, seats.ends_at)
        return False
    event.end("EXPIRED", seats)
    event.let_go.append((seats.user, seats.ends_at))
    return True


def _paid(event: Event, money: Money, kind: str) -> Answer:
    seats = event.live.get(money.made) or event.gone[money.made][1]
    is_valid = seats.ticket == "VALID"
    return (kind, event.rev, money.made, money.status, money.got, money.wrong, is_valid)


def _refund(event: Event, command: RefundPayment, now: datetime, made: int | None) -> Answer:
    money = event.payments.get(command.payment_id)
    if money is None or made is None:
        return NO_PAYMENT
    if command.refund_id in money.refunds:
        return _refunding(event, money, command, "KEPT")
    amount = money.left if command.amount_minor is None else command.amount_minor
    if amount < 1 or amount > money.left:
        return ("VALIDATION_ERROR", event.rev, None, None)
    event.give_back(money, command.refund_id, amount)
    answer = _refunding(event, money, command, "REFUND")
    if not money.left and made in event.live:
        event.end("CANCELLED", event.live[made])
        event.serve_line(now)
    return answer


def _settle_refund(event: Event, command: SettleRefund, _: datetime, made: int | None) -> Answer:
    money = event.payments.get(command.payment_id)
    if money is None or made is None or command.refund_id not in money.refunds:
        return NO_PAYMENT
    amount, before = money.refunds[command.refund_id]
    if before == "REFUNDED" or (before == "FAILED" and not command.succeeded):
        return _refunding(event, money, command, "KEPT")
    money.refunds[command.refund_id] = amount, "REFUNDED" if command.succeeded else "FAILED"
    if command.succeeded:
        event.add_row("REFUNDED", money.user, made=money.made)
    return _refunding(event, money, command, "REFUND")


def _refunding(
    event: Event, money: Money, command: RefundPayment | SettleRefund, kind: str
) -> Answer:
    return (kind, event.rev, money.status, *money.refunds[command.refund_id])


def _refund_event(event: Event, _: RefundEvent, now: datetime, made: int | None) -> Answer:
    if not event.closed:
        return ("DONE", None, False)
    for payment_id, money in sorted(event.payments.items()):
        if money.left:
            event.give_back(money, uuid5(payment_id, "rest"), money.left)
    return ("DONE", None, True)


RULES: Mapping[type[Command], Callable[[Event, Any, datetime, int | None], Answer]] = {
    StartPayment: _start,
    SettlePayment: _settle,
    RefundPayment: _refund,
    SettleRefund: _settle_refund,
    RefundEvent: _refund_event,
}
