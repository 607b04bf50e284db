"""Settings of the run are read forgivingly and refused clearly."""

import re
from pathlib import Path

import pytest

from deploy.local.settings import RunSettings, known_names
from services.kit.process.environment import SettingsError
from services.kit.process.setting_names import FILE, names_of
from services.kit.process.settings import OF_COMMANDS, Settings


def test_several_extra_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one extra port could be read."""
    monkeypatch.setenv("EXTRA_PORTS", "3001, 8000,8080")
    assert RunSettings.load().extra_ports == (3001, 8000, 8080)


def test_an_empty_setting_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT= make run` could be refused."""
    monkeypatch.setenv("PORT", "")
    assert RunSettings.load().port == 3000


@pytest.mark.parametrize("name", ["BOXOFFICE_DATABASE_URL", "DATABASE_URL"])
def test_a_database_of_ones_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL, which many platforms set, could be ignored."""
    monkeypatch.setenv(name, "postgresql://localhost/boxoffice")
    assert RunSettings.load().database_url == "postgresql://localhost/boxoffice"


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_names_the_setting_that_cannot_be_used(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message could name a field that the user does not know."""
    monkeypatch.setenv("EVENTS_PORT", port)
    with pytest.raises(SettingsError, match=f"EVENTS_PORT={port} must be"):
        RunSettings.load()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
        ("10.0.0.5", "http://10.0.0.5:3000"),
    ],
)
def test_the_gateways_address(host: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The banner could show 0.0.0.0, which no client can call."""
    monkeypatch.setenv("GATEWAY_HOST", host)
    assert RunSettings.load().gateway_url == url


@pytest.mark.parametrize("name", ["HOST", "RELOAD", "FORCE", "OPEN_ACCESS"])
def test_unprefixed_variables_are_not_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOST, which some shells set, could change where the gateway listens."""
    before = RunSettings.load()
    monkeypatch.setenv(name, "true")
    assert RunSettings.load() == before


def test_every_process_is_checked_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting of a service could end the run half a minute later."""
    monkeypatch.setenv("BOOKINGS_OFFER_SECONDS", "-1")
    monkeypatch.setenv("GATEWAY_RATE_LIMITS", "off1")
    monkeypatch.setenv("EVENTS_POOLSIZE", "8")
    with pytest.raises(SettingsError) as caught:
        RunSettings.load()
    names = {line.split()[0] for line in str(caught.value).splitlines()}
    assert names == {"BOOKINGS_OFFER_SECONDS=-1", "GATEWAY_RATE_LIMITS=off1", "EVENTS_POOLSIZE"}


def test_services_know_the_names_of_the_commands() -> None:
    """A service could refuse a setting that belongs to the commands."""
    shared = {name for name in known_names() if name.startswith("BOXOFFICE_")}
    own = {name for name in names_of(Settings) if name.startswith("BOXOFFICE_")}
    assert shared == own | set(OF_COMMANDS)


def test_every_setting_is_documented(project: Path) -> None:
    """A setting could be missing from docs/settings.md, or have no explanation."""
    rows = [line.split(" | ") for line in (project / "docs/settings.md").read_text().splitlines()]
    meanings = {row[0].removeprefix("| ").strip("`"): row[3] for row in rows if len(row) == 5}
    assert {name for name in known_names() if not meanings.get(name.removesuffix(FILE))} == set()


def test_the_example_of_env_has_only_settings(project: Path) -> None:
    """A line of .env.example could be refused once it is uncommented."""
    lines = (project / ".env.example").read_text().splitlines()
    settings = [line[1:].partition("=")[0] for line in lines if re.match("#[A-Z_]+=", line)]
    assert settings
    assert set(settings) <= known_names()
