import pytest
from structlog.testing import capture_logs

from services.kit.concurrency import outage
from services.kit.concurrency.outage import Outage


def warnings(watched: Outage, times: int) -> int:
    """Counts the warnings that are logged while so many calls fail."""
    with capture_logs() as entries:
        for _ in range(times):
            watched.record_failure("UNAVAILABLE")
    return sum(entry["log_level"] == "warning" for entry in entries)


def test_a_short_outage_is_no_warning() -> None:
    """Every start and stop would alarm the operator."""
    watched = Outage("nobody answers")
    assert not watched
    assert warnings(watched, 20) == 0
    assert watched


def test_a_lasting_outage_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning for each call would fill the log; no second warning would hide the next outage."""
    monkeypatch.setattr(outage, "LASTING_SECONDS", 0)
    watched = Outage("nobody answers")
    assert warnings(watched, 20) == 1
    watched.record_answer()
    assert not watched
    assert warnings(watched, 20) == 1
