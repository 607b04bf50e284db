"""The settings of bookings, read from the environment."""

import base64
import importlib.util
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.kit.process import settings
from services.kit.process.setting_types import Address, Target

SHORTEST_SECRET = 24
"""Bytes, by the Standard Webhooks specification."""
_PAGE = re.compile(r"https?://[^\s/]\S*")
DEVELOPMENT_SECRET = "whsec_Ym94b2ZmaWNlLWlzLWluLWRldmVsb3BtZW50"  # noqa: S105 - known to all


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _webhook_secret(value: str) -> str:
    prefix, _, encoded = value.partition("_")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except ValueError:
        secret = b""
    if prefix != "whsec" or len(secret) < SHORTEST_SECRET:
        raise ValueError(f"must be whsec_ and base64 of {SHORTEST_SECRET} bytes or more")
    return value


def _page(value: str) -> str:
    if value and not _PAGE.fullmatch(value):
        raise ValueError("must be a URL that begins with https:// or http://")
    return value


PaymentProvider = Literal["sandbox", "stripe"]


class Settings(settings.ServiceSettings):
    """Settings of bookings: `BOOKINGS_…`, besides those that every process has."""

    model_config = SettingsConfigDict(env_prefix="BOOKINGS_")

    listen: Address = "127.0.0.1:50052"
    """Address to serve gRPC on."""

    events_target: Target = "127.0.0.1:50051"
    """Address of events."""

    accounts_target: Target = "127.0.0.1:50053"
    """Address of accounts."""

    reconcile_seconds: float = Field(default=60, gt=0)
    """Pause between two comparisons of all inventories with the catalogue and the ledger."""

    offer_seconds: int = Field(default=7200, ge=1)
    """How long an offer of seats to somebody from the waiting list can be accepted."""

    hold_seconds: int = Field(default=600, ge=1)
    """How long seats are held: chosen ones, and those that have to be paid."""

    extended_hold_seconds: int = Field(default=1_800, ge=1)
    """How long after it was made a hold ends if its payment has begun."""

    held_seats: int = Field(default=10, ge=1)
    """How many seats of an event a user can hold at a time; one booking may hold more."""

    distributed: bool = False
    """Whether the tables are distributed by event (Citus). A transaction then decides about one
    event; otherwise about all events that are asked for meanwhile."""

    door_opens_seconds: int = Field(default=21_600, ge=0)
    """How long before its event starts a ticket admits."""

    door_closes_seconds: int = Field(default=86_400, ge=0)
    """For how long after the start of its event a ticket admits."""

    ended_holds: int = Field(default=3, ge=1)
    """After how many holds that ended without a ticket an account has to wait for the next one."""

    ended_holds_seconds: int = Field(default=300, ge=1, le=3_600)
    """For how long a hold of an account that has ended counts."""

    payment_providers: Annotated[
        tuple[PaymentProvider, ...], NoDecode, BeforeValidator(_split)
    ] = ()
    """Payment providers, of which the first one takes new payments, and all others finish theirs.
    `sandbox` moves no money; `stripe` needs the settings of Stripe, and its library."""

    sandbox_secret: Annotated[str, AfterValidator(_webhook_secret)] = Field(
        default=DEVELOPMENT_SECRET, repr=False
    )
    """Secret that signs webhooks of the sandbox: `whsec_` and base64 of 24 bytes or more. It must
    be set in production."""

    stripe_api_key: str = Field(default="", repr=False)
    """Secret key of the account at Stripe, or better a restricted one; see payments."""

    stripe_webhook_secrets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), repr=False
    )
    """Secrets of Stripe's webhook endpoint; several while one replaces another."""

    stripe_return_url: Annotated[str, AfterValidator(_page)] = ""
    """Page to which payers come back from Stripe; `{payment_id}` in it stands for the payment."""

    stripe_api_url: Annotated[str, AfterValidator(_page)] = "https://api.stripe.com"
    """Where the API of Stripe is."""

    @model_validator(mode="after")
    def _expect_stripe(self) -> Self:
        """Refuses Stripe without its settings or its library."""
        if "stripe" not in self.payment_providers:
            return self
        for name in ("stripe_api_key", "stripe_webhook_secrets", "stripe_return_url"):
            if not getattr(self, name):
                raise ValueError(f"BOOKINGS_{name.upper()} must be set for the provider stripe")
        if importlib.util.find_spec("stripe") is None:
            raise ValueError("the provider stripe needs requirements-stripe.txt to be installed")
        return self

    @model_validator(mode="after")
    def _refuse_known_secret(self) -> Self:
        """Refuses a sandbox in production whose webhooks everybody could sign."""
        is_known = self.sandbox_secret == DEVELOPMENT_SECRET
        if self.environment == "production" and "sandbox" in self.payment_providers and is_known:
            raise ValueError("BOOKINGS_SANDBOX_SECRET must be set in production")
        return self
