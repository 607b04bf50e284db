"""The settings of this service, read from the environment."""

import secrets
from email.headerregistry import AddressHeader
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from services.accounts.errors import NoPepperError
from services.accounts.mail.smtp import SmtpServer
from services.accounts.people.registrations import OrganizerSignUp
from services.kit.process import settings
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
    """`ACCOUNTS_DATABASE_URL` and the like, besides those that every process has."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_", **settings.MODEL_CONFIG)

    listen: Address = "127.0.0.1:50053"
    """Where to serve gRPC, as host:port."""

    code_pepper: str = Field(default="", repr=False)
    """Secret without which the codes in the database tell nothing; the same in all replicas."""

    smtp_url: SmtpUrl = ""
    """Mail server: `smtp://`, `smtp+starttls://` or `smtps://`, `user:password@host:port`."""

    mail_from: Annotated[str, AfterValidator(_sender)] = "Boxoffice <boxoffice@localhost>"
    """Who letters are from."""

    refuse_common_passwords: bool = True
    """Whether nobody may choose one of the most common passwords."""

    organizer_sign_up: OrganizerSignUp = OrganizerSignUp.APPROVAL
    """Whether whoever registers as an organizer is one: `open`, `approval` or `closed`."""

    def pepper(self) -> bytes:
        """Returns the secret that codes are stored with. Raises NoPepperError in production.

        Without one a single process makes up its own: the codes of before a restart are lost.
        """
        if not self.code_pepper and self.environment == "production":
            raise NoPepperError
        return self.code_pepper.encode() or secrets.token_bytes(32)
