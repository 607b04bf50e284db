import json
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.kit.process.logging import is_sampled

SCRIPT = r"""
import logging as standard
import structlog
from services.kit.rpc import context
from services.kit.process import logging

logging.configure("bookings", "INFO")
log = structlog.get_logger()
context.request_id.set("abc")
log.info("two\nlines", user_id="é\u2028\x00\ud800", odd=object(), nothing=None)
log.debug("not logged")
try:
    raise ValueError("a\nb")
except ValueError:
    log.exception("failed")
standard.getLogger("library").warning("of a library: %s", "x\ny")
standard.getLogger("library").info("number %d", "no number")
log.error("last", bytes=b"\xff", keys={1: 2}, big=10**400)
"""

THREADS = r"""
import logging as standard
import sys
import threading
import structlog
from services.kit.process import logging

logging.configure("bookings", "INFO")
sys.setswitchinterval(1e-6)
ours, library = structlog.get_logger(), standard.getLogger("library")
together = threading.Barrier(4)

def write(log):
    together.wait()
    for _ in range(1000):
        log.info("a line")

threads = [threading.Thread(target=write, args=[log]) for log in (ours, ours, library, library)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def logged(script: str = SCRIPT) -> list[dict[str, Any]]:
    """Runs the script in a process of its own, unbuffered; returns its log entries."""
    done = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.decode("ascii").splitlines()]


def test_each_line_is_one_json_object() -> None:
    """A text of a user or a library could forge a line, or lose one."""
    lines = logged()
    assert [line["event"] for line in lines] == [
        "two\nlines",
        "failed",
        "of a library: x\ny",
        "last",
    ]
    assert {line["process"] for line in lines} == {"bookings"}
    assert {line["request_id"] for line in lines} == {"abc"}
    assert [line["level"] for line in lines] == ["info", "error", "warning", "error"]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "ValueError: a\nb" in lines[1]["exception"]


def test_lines_of_threads_do_not_mix() -> None:
    """Programs that read the log line by line could lose two lines at a time."""
    assert len(logged(THREADS)) == 4000


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1), st.floats(0, 1))
def test_the_same_requests_are_sampled_everywhere(
    request_id: str, share: float, other: float
) -> None:
    """A sampled request could be missing from the logs of another process."""
    assert is_sampled(request_id, share) == is_sampled(request_id, share)
    if is_sampled(request_id, min(share, other)):
        assert is_sampled(request_id, max(share, other))
    assert is_sampled(request_id, 1)
    assert not is_sampled(request_id, 0)


def test_about_the_given_share_is_sampled() -> None:
    """No request could be logged, or all of them."""
    assert 50 < sum(is_sampled(f"request-{number}", 0.01) for number in range(10_000)) < 200
