from pathlib import Path

import pytest

from services.accounts.settings import Settings as AccountsSettings
from services.bookings.settings import Settings as BookingsSettings
from services.kit.process.environment import SettingsError
from services.kit.process.setting_names import FILE, names_of
from services.migrate import MigrationSettings

URL = "postgresql://u:canary@127.0.0.1/db"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the settings of the developer's shell."""
    for settings in (AccountsSettings, BookingsSettings, MigrationSettings):
        for name in names_of(settings):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_secret_can_be_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str
) -> None:
    """A secret could be possible in the environment only, or have the newline of an editor."""
    secrets = {
        "ACCOUNTS_DATABASE_URL": URL,
        "BOXOFFICE_SERVICE_KEY": "the key of all services",
        "BOXOFFICE_SECOND_SERVICE_KEY": "another key",
        "ACCOUNTS_CODE_PEPPER": "pepper ",
        "ACCOUNTS_SECOND_CODE_PEPPER": "other pepper",
        "ACCOUNTS_SMTP_URL": "smtps://u:canary@mail.example",
    }
    declared = {name for name in names_of(AccountsSettings) if name.endswith(FILE)}
    assert declared == {name + FILE for name in secrets}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(secret + end, newline="")
        monkeypatch.setenv(name + FILE, str(tmp_path / name))
    read = AccountsSettings.load()
    assert read.database_url == URL
    assert (read.service_key, read.second_service_key) == ("the key of all services", "another key")
    assert read.peppers() == [b"pepper ", b"other pepper"]
    assert read.smtp_url == "smtps://u:canary@mail.example"


def test_lists_and_commands_take_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret of another form, or one of the migrations, could be left out."""
    file = tmp_path / "secret"
    file.write_text("one, two\n")
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", URL)
    monkeypatch.setenv("BOOKINGS_STRIPE_WEBHOOK_SECRETS_FILE", str(file))
    assert BookingsSettings.load().stripe_webhook_secrets == ("one", "two")
    for name in ("ACCOUNTS", "EVENTS", "BOOKINGS"):
        monkeypatch.setenv(f"{name}_DATABASE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", URL)
    assert set(MigrationSettings.load().passwords.values()) == {"one, two"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "{name}={path} cannot be read: No such file or directory"),
        (b"", "{name}={path} is empty"),
        (b"\n", "{name}={path} is empty"),
        (b"\xff", "{name}={path} is no text in UTF-8"),
        (b"mysql://u:canary@h/d", "{name} must be postgresql://"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    """A service could start without its secret, or show it."""
    name, path = "BOOKINGS_DATABASE_URL_FILE", tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(name, str(path))
    with pytest.raises(SettingsError) as caught:
        BookingsSettings.load()
    [line] = str(caught.value).splitlines()
    assert line.startswith(said.format(name=name, path=path))
    assert "canary" not in line


def test_a_secret_and_its_file_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An operator who replaces the one could go on with the other."""
    (tmp_path / "key").write_text("from the file")
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", URL)
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "canary")
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SettingsError) as caught:
        BookingsSettings.load()
    expected = "BOXOFFICE_SERVICE_KEY and BOXOFFICE_SERVICE_KEY_FILE are both set: set one of them"
    assert str(caught.value) == expected
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "")
    assert BookingsSettings.load().service_key == "from the file"


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name could be ignored."""
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", URL)
    monkeypatch.setenv("BOOKINGS_POOL_SIZE_FILE", "/run/pool-size")
    with pytest.raises(SettingsError, match="BOOKINGS_POOL_SIZE_FILE is no setting"):
        BookingsSettings.load()
