"""A buyer of the demo, who behaves like a person: slow, and not always sure."""

import random
from dataclasses import dataclass

from deploy.load.errors import RealMoneyError
from deploy.load.purchases import Outcome, Purchase
from deploy.load.shop import NotDoneError, Shop, UnsettledError

MOST_SEATS = 4
GIVES_BACK, HAS_BAD_CARD, CANCELS = 0.2, 0.1, 0.1
"""The chances that a buyer gives held seats back, pays with a bad card first, cancels later."""
GOOD_CARD, BAD_CARD = "tok_ok", "tok_decline"
SLOWEST = 0.1
"""The longest pause to think, as a share of the sale."""


@dataclass(frozen=True, slots=True)
class DemoBuyer:
    """Buys once. `seconds` is how long the sale takes, from which the pauses follow."""

    shop: Shop
    chance: random.Random
    seconds: float

    async def buy(self, user_id: str, *, is_seated: bool) -> None:
        """Holds seats and pays them, gives them back, or pays and cancels."""
        wanted = self.chance.randint(1, MOST_SEATS) if is_seated else 0
        purchase = self.shop.new_purchase(user_id, wanted)
        if not await self.shop.book(purchase) and wanted > 1 and self._may_try_again(purchase):
            purchase = self.shop.new_purchase(f"{user_id}-again", 1)
            await self.shop.book(purchase)
        if purchase.booking_id is None:
            return
        try:
            await self._decide(purchase)
        except NotDoneError:
            return  # the purchase is what it was
        except UnsettledError:
            purchase.outcome, purchase.was_unknown = Outcome.UNSETTLED, True

    def _may_try_again(self, purchase: Purchase) -> bool:
        return purchase.outcome is Outcome.REFUSED and not self.shop.stop.is_set()

    async def _decide(self, purchase: Purchase) -> None:
        """Goes on with a booking. Raises NotDoneError and UnsettledError."""
        await self._think()
        if self.shop.stop.is_set() or self.chance.random() < GIVES_BACK:
            await self._cancel(purchase)
            return
        is_sure = self.chance.random() >= HAS_BAD_CARD
        if purchase.outcome is Outcome.HELD and not await self._pay(purchase, is_sure=is_sure):
            await self._cancel(purchase)
            return
        await self._think()
        if self.chance.random() < CANCELS:
            await self._cancel(purchase)

    async def _pay(self, purchase: Purchase, *, is_sure: bool) -> bool:
        """Issues the ticket and pays it; returns whether the seats are sold."""
        shop, key = self.shop, purchase.key
        issued = await shop.ask(shop.requests.ticket(purchase.booking_id or 0, key("ticket")))
        if issued.status >= 400:
            return False
        ticket = issued.json
        if ticket["status"] == "VALID":
            return self._has_bought(purchase)
        if not is_sure:
            await shop.ask(shop.requests.pay(ticket["ticket_id"], BAD_CARD, key("bad-card")))
            await self._think()
        paid = await shop.ask(shop.requests.pay(ticket["ticket_id"], GOOD_CARD, key("card")))
        if paid.status >= 400:
            return False
        if paid.json["redirect_url"]:
            shop.fail(RealMoneyError())
        if paid.json["status"] != "SUCCEEDED":
            raise UnsettledError
        return self._has_bought(purchase)

    def _has_bought(self, purchase: Purchase) -> bool:
        purchase.outcome = Outcome.BOOKED
        self.shop.series.sell(max(1, len(purchase.seat_ids)))
        return True

    async def _cancel(self, purchase: Purchase) -> None:
        """Cancels the booking or gives the held seats back."""
        requests = self.shop.requests
        if not purchase.reference:
            found = await self.shop.ask(requests.booking(purchase.booking_id or 0))
            if found.status >= 400:
                return
            purchase.reference = found.json["reference"]
        answer = await self.shop.ask(requests.cancel(purchase.reference, purchase.key("cancel")))
        if answer.status < 400:
            purchase.outcome = Outcome.CANCELLED

    async def _think(self) -> None:
        await self.shop.pause(self.chance.uniform(0, SLOWEST * self.seconds))
