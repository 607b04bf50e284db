"""A port that is taken is reported before anything is started."""

import os
import socket
from collections.abc import Iterator

import pytest

from deploy.local.errors import PortTakenError
from deploy.local.processes import port_check
from deploy.local.settings import RunSettings
from services.kit.process.loopback import addresses

SETTINGS = (
    "PORT",
    "EXTRA_PORTS",
    "EVENTS_PORT",
    "BOOKINGS_PORT",
    "ACCOUNTS_PORT",
    "MAILBOX_PORT",
)


@pytest.fixture(params=addresses("localhost"))
def taken(request: pytest.FixtureRequest) -> Iterator[str]:
    """Returns a port that somebody listens on, at either address of this machine."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as server:
        yield str(server.getsockname()[1])


@pytest.fixture(autouse=True)
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets all ports to free ones."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in SETTINGS]
    for name, server in zip(SETTINGS, servers, strict=True):
        monkeypatch.setenv(name, str(server.getsockname()[1]))
        server.close()


def check() -> None:
    """Checks the ports of the settings, without patience."""
    port_check.check_ports(RunSettings.load(), patience_seconds=0)


def test_free_ports_are_fine() -> None:
    """The check itself could keep a port in use."""
    check()
    check()


@pytest.mark.parametrize("setting", SETTINGS)
def test_names_the_port_and_its_setting(
    setting: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user could not see which setting changes the taken port."""
    monkeypatch.setenv(setting, taken)
    with pytest.raises(
        PortTakenError,
        match=rf"port {taken} .* taken by .*process {os.getpid()}; .* {setting}=<port>",
    ):
        check()


def test_two_settings_cannot_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with one port could fail long after the start."""
    monkeypatch.setenv("EVENTS_PORT", "12345")
    monkeypatch.setenv("BOOKINGS_PORT", "12345")
    with pytest.raises(PortTakenError, match="EVENTS_PORT and BOOKINGS_PORT both ask"):
        check()


def test_an_address_of_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign address could be reported as a taken port."""
    monkeypatch.setenv("GATEWAY_HOST", "192.0.2.1")
    with pytest.raises(PortTakenError, match=r"assign .* GATEWAY_HOST"):
        check()
