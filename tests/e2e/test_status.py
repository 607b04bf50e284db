"""`boxoffice status` of a running system."""

import json

import pytest
from click.testing import CliRunner

from deploy.operator.__main__ import boxoffice
from tests.e2e.system import System


@pytest.fixture
def beside(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets what an operator of the system would set."""
    monkeypatch.setenv("PORT", str(system.port))
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", system.database.owner_dsn)
    monkeypatch.setenv("GATEWAY_EVENTS_TARGET", system.events_target)
    monkeypatch.setenv("GATEWAY_BOOKINGS_TARGET", f"ipv4:{','.join(system.bookings_targets)}")
    monkeypatch.setenv("GATEWAY_ACCOUNTS_TARGET", system.accounts_target)


def test_shows_all_processes(system: System, beside: None) -> None:
    """A process that serves could be shown as down, or the sessions of one be missing."""
    found = json.loads(CliRunner().invoke(boxoffice, ["status", "--json"]).output)
    shown = {process["name"]: process for process in found["processes"]}
    assert {name: process["state"] for name, process in shown.items()} == dict.fromkeys(
        ("gateway", "events", "bookings", "accounts"), "serving"
    )
    assert shown["bookings"]["address"] == system.bookings_targets[0]
    assert shown["gateway"]["figures"]["http_connections"] >= 1
    sessions = found["figures"]["sessions"]
    assert {"boxoffice-accounts", "boxoffice-bookings", "boxoffice-events"} <= sessions.keys()
