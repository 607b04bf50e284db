"""Settings of the run are read forgivingly and refused clearly."""

import pytest

from deploy.local.errors import SettingsError
from deploy.local.settings import RunSettings


def test_several_extra_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway can stand in for several systems at once, each on the port it is known by."""
    monkeypatch.setenv("EXTRA_PORTS", "3001, 8000,8080")
    assert RunSettings.load().extra_ports == (3001, 8000, 8080)


def test_an_empty_setting_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT= make run` is what a shell makes of an unset variable."""
    monkeypatch.setenv("PORT", "")
    assert RunSettings.load().port == 3000


@pytest.mark.parametrize("name", ["BOXOFFICE_DATABASE_URL", "DATABASE_URL"])
def test_a_database_of_ones_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names are taken; the second is what many platforms set."""
    monkeypatch.setenv(name, "postgresql://localhost/boxoffice")
    assert RunSettings.load().database_url == "postgresql://localhost/boxoffice"


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_names_the_setting_that_cannot_be_used(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, not a field of ours."""
    monkeypatch.setenv("EVENTS_PORT", port)
    with pytest.raises(SettingsError, match="EVENTS_PORT: Input should be"):
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
    """Listening everywhere is not an address that can be called."""
    monkeypatch.setenv("GATEWAY_HOST", host)
    assert RunSettings.load().gateway_url == url
