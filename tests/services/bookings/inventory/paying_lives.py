"""Random commands about payments, so few of each booking that they collide."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias
from uuid import UUID, uuid5

from services.bookings.inventory.commands import Command
from services.bookings.inventory.payment_commands import (
    Amount,
    Charge,
    RefundEvent,
    RefundPayment,
    SettlePayment,
    SettleRefund,
    StartPayment,
)

REMEMBERED = 12
Prices: TypeAlias = Callable[[int, UUID], int]
"""Returns what a payment of an event was asked for, 0 if it was not started."""


class PayingLives:
    """Starts payments of bookings, and settles and refunds those that were started lately."""

    def __init__(
        self, random: Random, bookings: Callable[[int], Sequence[int]], prices: Prices
    ) -> None:
        self._random = random
        self._bookings = bookings
        self._prices = prices
        self._started: deque[tuple[int, int, UUID]] = deque(maxlen=REMEMBERED)
        self._declined: deque[tuple[int, int, UUID]] = deque(maxlen=REMEMBERED)

    def command(self, event_id: int) -> Command:
        """Makes a command for an event, or for the event of a payment that was started lately."""
        chance = self._random.random()
        if chance < 0.35 or not self._started:
            return self._start(event_id)
        if chance < 0.4:
            return RefundEvent(event_id)
        if chance < 0.5 and self._declined:
            return self._settle(self._random.choice(self._declined))
        known = [each for each in self._started if self._prices(each[0], each[2])]
        started = self._random.choice(known or self._started)
        if chance < 0.8:
            return self._settle(started)
        event_id, booking_id, payment_id = started
        price = self._prices(event_id, payment_id)
        refund_id = UUID(int=payment_id.int | self._random.choice((1, 2)) << 40)
        if chance < 0.9:
            amount = self._random.choice((None, None, 1, price // 2, price, price + 1, 0))
            return RefundPayment(event_id, booking_id, payment_id, refund_id, amount)
        settled = self._random.choice((refund_id, uuid5(payment_id, "rest")))
        succeeds = self._random.random() < 0.8
        return SettleRefund(event_id, booking_id, payment_id, settled, succeeds)

    def _start(self, event_id: int) -> StartPayment:
        bookings = self._bookings(event_id)
        booking_id = self._random.choice(bookings) if bookings else 0
        number = self._random.choice((1, 2, 3))
        payment_id = UUID(int=event_id << 64 | booking_id << 8 | number)
        self._started.append((event_id, booking_id, payment_id))
        amount = self._random.choice((None, None, None, Amount(700, "EUR"), Amount(0, "EUR")))
        return StartPayment(event_id, booking_id, payment_id, "sandbox", "card", amount)

    def _settle(self, payment: tuple[int, int, UUID]) -> SettlePayment:
        event_id, booking_id, payment_id = payment
        price = self._prices(event_id, payment_id)
        charge = self._charge(price)
        if price and not charge.succeeded:
            self._declined.append(payment)
        return SettlePayment(event_id, booking_id, payment_id, charge, self._event())

    def _charge(self, price: int) -> Charge:
        chance = self._random.random()
        if chance < 0.5:
            return Charge(False, None, 0, "EUR")
        currency = "USD" if chance < 0.53 else "EUR"
        return Charge(True, "ch_1", price if chance < 0.95 else price + 1, currency)

    def _event(self) -> str | None:
        return self._random.choice((None, "evt_1", "evt_2"))
