import pytest
from structlog.testing import capture_logs

from services.kit.concurrency import outage
from services.kit.concurrency.outage import Silence


def warnings(noting: Silence, times: int) -> int:
    """Counts what a log warns of while there is no answer so many times."""
    with capture_logs() as entries:
        for _ in range(times):
            noting.go_on("UNAVAILABLE")
    return sum(entry["log_level"] == "warning" for entry in entries)


def test_a_short_silence_alarms_nobody() -> None:
    """It is how every start and stop looks."""
    noting = Silence("nobody answers")
    assert not noting
    assert warnings(noting, 20) == 0
    assert noting


def test_a_lasting_one_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there was an answer; the next silence is another one."""
    monkeypatch.setattr(outage, "LASTING_SECONDS", 0)
    noting = Silence("nobody answers")
    assert warnings(noting, 20) == 1
    noting.end()
    assert not noting
    assert warnings(noting, 20) == 1
