"""The settings of this service, read from the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.accounts.registrations import OrganizerSignUp
from services.kit import settings


class Settings(settings.ServiceSettings):
    """`ACCOUNTS_DATABASE_URL` and the like, besides those that every process has."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_", **settings.MODEL_CONFIG)

    listen: str = "127.0.0.1:50053"
    """Where to serve gRPC, as host:port."""

    code_pepper: str = Field(default="", repr=False)
    """Secret without which the codes in the database tell nothing; the same in all replicas."""

    smtp_url: str = Field(default="", repr=False)
    """Mail server: `smtp://`, `smtp+starttls://` or `smtps://`, `user:password@host:port`."""

    mail_from: str = "Boxoffice <boxoffice@localhost>"
    """Who letters are from."""

    refuse_common_passwords: bool = True
    """Whether nobody may choose one of the most common passwords."""

    organizer_sign_up: OrganizerSignUp = OrganizerSignUp.APPROVAL
    """Whether whoever registers as an organizer is one: `open`, `approval` or `closed`."""
