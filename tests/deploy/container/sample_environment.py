"""Loads the settings of a process as a container gives them, with sample secrets."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from deploy.local import settings_page
from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process import cleartext
from services.kit.process.settings import ProcessSettings
from services.migrate import MigrationSettings
from tests.certificates import Authority
from tests.deploy.container.files import Secret, image_environment

FILE = "_FILE"
MOUNTED = ("/tls/tls.crt", "/tls/tls.key", "/tls/ca.crt")
"""Where a pod has its certificate, the key, and the CA."""
SETTINGS: Mapping[str, type[ProcessSettings | MigrationSettings]] = {
    "gateway": GatewaySettings,
    "events": EventsSettings,
    "bookings": BookingsSettings,
    "accounts": AccountsSettings,
    "migrate": MigrationSettings,
}


def load(
    process: str,
    variables: Mapping[str, str | Secret],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> BaseSettings:
    """Loads the settings of a process in the image. Raises SettingsError as the process would."""
    for name in os.environ.keys() & {*image_environment(), *variables}:
        monkeypatch.delenv(name)
    certificate = Authority(folder / "ca").issue("tls", "events", "bookings", "accounts", "gateway")
    files = dict(zip(MOUNTED, map(str, certificate.paths()), strict=True))
    for name, value in {**image_environment(), **variables}.items():
        given = sample(name) if isinstance(value, Secret) else files.get(value, value)
        if name.endswith("_DATABASE_URL") and cleartext.ALLOW not in variables:
            given += "?sslmode=verify-full"
        if name.endswith(FILE):
            file = folder / name
            file.write_text(sample(name.removesuffix(FILE)), encoding="utf-8")
            given = str(file)
        monkeypatch.setenv(name, given)
    return SETTINGS[process].load()


def unread(process: str, given: Iterable[str]) -> set[str]:
    """Returns the variables that a process does not read, by the page of settings."""
    reader = "migrations" if process == "migrate" else process
    read = {setting.name for setting in settings_page.settings() if setting.reader == reader}
    return {name for name in given if name.removesuffix(FILE) not in read}


def sample(name: str) -> str:
    """Returns a value that a secret may have."""
    if name.endswith("_DATABASE_URL"):
        return "postgresql://somebody:secret@postgresql:5432/boxoffice"
    return {
        "ACCOUNTS_SMTP_URL": "smtps://user:secret@mail.example.com:465",
        "GATEWAY_RATE_LIMITS_URL": "valkeys://valkey.example.com:6379/0",
    }.get(name, "s" * 40)
