"""The settings of this service, read from the environment."""

import secrets
from collections.abc import Iterator, Sequence
from email.headerregistry import AddressHeader
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from services.accounts.errors import NoPepperError
from services.accounts.mail.smtp import SmtpServer
from services.accounts.people.registrations import OrganizerSignUp
from services.kit.process import cleartext, settings
from services.kit.process.setting_types import Address


def _smtp_url(value: str) -> str:
    if value:
        SmtpServer.of(value)
    return value


def _sender(value: str) -> str:
    found = AddressHeader.value_parser(value)
    domains = [bool(mailbox.domain) for mailbox in found.all_mailboxes]
    if found.all_defects or domains != [True] or not value.isprintable():
        raise ValueError("must be an address, as in Boxoffice <boxoffice@example.com>")
    return value


SmtpUrl = Annotated[str, Field(repr=False), AfterValidator(_smtp_url)]


class Settings(settings.ServiceSettings):
    """The settings of accounts (`ACCOUNTS_…`), in addition to those of every process."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_")

    listen: Address = "127.0.0.1:50053"
    """Address to serve gRPC on."""

    code_pepper: str = Field(default="", repr=False)
    """Secret that protects the stored codes; must be the same in all replicas. Production needs
    one."""

    second_code_pepper: str = Field(default="", repr=False)
    """Another pepper that stored codes may have, while one replaces the other."""

    smtp_url: SmtpUrl = ""
    """Mail server: `smtp://`, `smtp+starttls://` or `smtps://`, then `user:password@host:port`.
    Without one e-mails wait, and are given up after two days."""

    mail_from: Annotated[str, AfterValidator(_sender)] = "Boxoffice <boxoffice@localhost>"
    """Sender of the e-mails."""

    refuse_common_passwords: bool = True
    """Whether a new password must not be one of the 3,000 most common ones."""

    organizer_sign_up: OrganizerSignUp = OrganizerSignUp.APPROVAL
    """What registering as an organizer does: `open` makes one, `approval` notes the request,
    `closed` refuses."""

    def peppers(self) -> Sequence[bytes]:
        """Returns the secret that codes are stored with, and another one that they may have.

        Without one a single process generates its own; codes from before a restart are then lost.
        Raises NoPepperError in production.
        """
        if not self.code_pepper and self.environment == "production":
            raise NoPepperError
        first = self.code_pepper.encode() or secrets.token_bytes(32)
        return [first, *filter(None, [self.second_code_pepper.encode()])]

    def cleartext(self) -> Iterator[str]:
        """See TransportSettings."""
        yield from super().cleartext()
        yield cleartext.of_url("ACCOUNTS_SMTP_URL", self.smtp_url, "smtps://", "smtp")
