"""The port to payment providers: what Boxoffice asks of one, and what one tells Boxoffice.

Each call has a key of ours: the id of the payment, or that of the refund. A provider does once what
it is asked, however often a call comes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

LARGEST_AMOUNT_MINOR = 10**15
"""More than any charge; sums of it fit into 64 bits, and JSON has it exactly."""
_CURRENCY = re.compile(r"[A-Z]{3}")
_NAME = re.compile(r"[!-~]{1,255}")


def _expect(name: str, pattern: re.Pattern[str], value: object) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"no {name} of a charge")


class ProviderUnavailable(Exception):  # noqa: N818 - it names what was found
    """The provider has not answered. Whether it did what it was asked is not known."""


class Status(StrEnum):
    """What has become of a charge or a refund."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class NewCharge:
    """Money to take: minor units of a currency, by a token that stands for the payer's card."""

    payment_id: UUID
    amount_minor: int
    currency: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Charged:
    """What has become of a charge. `reference` is the provider's own name of it, if it has one.

    The payer goes on at `redirect_url`, if there is one, while the charge is PENDING. Raises
    ValueError for what cannot be true of a charge, since it comes from outside.
    """

    status: Status
    reference: str | None
    amount_minor: int
    currency: str
    redirect_url: str | None = None

    def __post_init__(self) -> None:
        amount = self.amount_minor
        if type(amount) is not int or not 0 <= amount <= LARGEST_AMOUNT_MINOR:
            raise ValueError("no amount of a charge")
        _expect("currency", _CURRENCY, self.currency)
        if self.reference is not None:
            _expect("reference", _NAME, self.reference)


NEVER_CHARGED = Charged(Status.FAILED, None, 0, "XXX")
"""A charge that the provider never heard of; XXX is "no currency" in ISO 4217."""


@dataclass(frozen=True, slots=True)
class NewRefund:
    """Money to pay back, of a charge that succeeded."""

    refund_id: UUID
    payment_id: UUID
    reference: str | None
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """What has become of a refund. `reference` is the provider's own name of it."""

    status: Status
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """News of a charge that the provider sent by itself, with the provider's id of them."""

    id: str
    payment_id: UUID
    charged: Charged

    def __post_init__(self) -> None:
        _expect("id", _NAME, self.id)


class Provider(Protocol):
    """A payment provider. Every call may raise ProviderUnavailable."""

    @property
    def name(self) -> str:
        """The name of the provider, as payments and webhooks have it."""

    @property
    def needs_token(self) -> bool:
        """Whether a charge needs a token; otherwise the payer goes on at the provider's page."""

    def answers_at_once(self, token: str) -> bool:
        """Returns whether `start` answers without a wait, so that payments may share a batch."""

    async def start(self, charge: NewCharge) -> Charged:
        """Takes money, once for each payment."""

    async def look_up(self, payment_id: UUID, reference: str | None) -> Charged | None:
        """Returns what has become of a charge; None if the provider has never heard of it."""

    async def cancel(self, payment_id: UUID, reference: str | None) -> Charged:
        """Ends a charge that is PENDING or unknown, for good; returns what has become of it."""

    async def refund(self, refund: NewRefund) -> Refunded:
        """Pays money back, once for each refund."""

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent | None:
        """Verifies and reads an event; None if it is no news of a charge.

        The names of `headers` are in lower case. Raises WebhookRejected.
        """
