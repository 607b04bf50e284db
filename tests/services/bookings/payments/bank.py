"""A bank for tests: the only one who knows which money moved, whatever Boxoffice has written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from services.bookings.payments.provider import (
    Charged,
    NewCharge,
    NewRefund,
    ProviderEvent,
    ProviderUnavailable,
    Refunded,
    Status,
)

TOKENS = ("ok", "ok", "decline", "later", "lost", "wrong", "revived")
"""What becomes of charges: `revived` ones fail and succeed later, `later` ones are pending."""

AnswerT = TypeVar("AnswerT")


@dataclass
class Bank:
    """A provider that does once what it is asked, and loses answers."""

    name = "bank"
    needs_token = False

    def __post_init__(self) -> None:
        self.charges: dict[UUID, Charged] = {}
        self.news: list[ProviderEvent] = []
        self.paid_back: Counter[UUID] = Counter()
        self.loses_answers = False
        self._tokens: dict[UUID, str] = {}
        self._refunds: set[UUID] = set()

    def answers_at_once(self, token: str) -> bool:
        """Returns whether payments may share a batch."""
        return False

    async def start(self, charge: NewCharge) -> Charged:
        """See Provider."""
        key, token = charge.payment_id, charge.token
        if key not in self.charges:
            status = {"decline": Status.FAILED, "revived": Status.FAILED, "later": Status.PENDING}
            amount = charge.amount_minor + (token == "wrong")
            self._tokens[key] = token
            asked = Charged(Status.PENDING, f"ch_{key}", amount, charge.currency)
            self._set(key, replace(asked, status=status.get(token, Status.SUCCEEDED)))
        return self._answer(self.charges[key], is_lost=token == "lost")

    async def look_up(self, payment_id: UUID, reference: str | None) -> Charged | None:
        """See Provider."""
        return self._answer(self.charges.get(payment_id))

    async def cancel(self, payment_id: UUID, reference: str | None) -> Charged:
        """See Provider."""
        known = self.charges.get(payment_id)
        if known is None or known.status is Status.PENDING:
            self.charges[payment_id] = Charged(Status.FAILED, f"ch_{payment_id}", 0, "EUR")
            self._tokens[payment_id] = "cancelled"
        return self._answer(self.charges[payment_id])

    async def refund(self, refund: NewRefund) -> Refunded:
        """See Provider."""
        if refund.refund_id not in self._refunds:
            self._refunds.add(refund.refund_id)
            self.paid_back[refund.payment_id] += refund.amount_minor
        return self._answer(Refunded(Status.SUCCEEDED, f"re_{refund.refund_id}"))

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent | None:
        """Returns the news with a number."""
        return self.news[int(body)]

    def finish(self, payment_id: UUID) -> None:
        """Takes the money of a charge that is pending, or that failed before."""
        if self._tokens.get(payment_id) in {"later", "revived"}:
            self._set(payment_id, replace(self.charges[payment_id], status=Status.SUCCEEDED))

    def taken(self, payment_id: UUID) -> int:
        """Returns how much money was taken."""
        charge = self.charges.get(payment_id)
        return charge.amount_minor if charge and charge.status is Status.SUCCEEDED else 0

    def _set(self, payment_id: UUID, charged: Charged) -> None:
        self.charges[payment_id] = charged
        self.news.append(ProviderEvent(f"evt_{len(self.news)}_{payment_id}", payment_id, charged))

    def _answer(self, answer: AnswerT, *, is_lost: bool = False) -> AnswerT:
        if is_lost or self.loses_answers:
            raise ProviderUnavailable
        return answer
