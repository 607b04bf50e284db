"""The first install shows its progress."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.runs import SECONDS

PIP = (
    "Collecting grpcio==1.85.0 (from -r requirements.txt (line 3))",
    "  Downloading grpcio-1.85.0-cp311.whl (6.5 MB)",
    "Installing collected packages: grpcio, orjson",
    "Successfully installed grpcio-1.85.0 orjson-3.13",
)
UV = ("Resolved 2 packages in 3ms", " Downloading grpcio (6.2MiB)", "Prepared 2 packages in 9s")


@pytest.fixture
def command(project: Path, tmp_path: Path) -> list[str | Path]:
    """Returns the command for two packages, without an installer."""
    file = tmp_path / "requirements.txt"
    file.write_text("grpcio==1.85.0 \\\n    --hash=sha256:1==\n# a comment\norjson[x]==3.13\n")
    return [sys.executable, project / "deploy/local/install.py", file]


def installer(lines: tuple[str, ...], code: int = 0) -> list[str]:
    """Returns an installer that prints the lines and ends with the code."""
    program = f"print({chr(10).join(lines)!r}); raise SystemExit({code})"
    return [sys.executable, "-c", program]


@pytest.mark.parametrize("lines", [PIP, UV])
def test_shows_each_step(command: list[str | Path], lines: tuple[str, ...]) -> None:
    """The first install could show nothing for a minute."""
    ended = subprocess.run(
        [*command, *installer(lines)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    first, *steps, last = ended.stdout.splitlines()
    assert first.startswith("Installing the 2 packages of ")
    assert any("grpcio" in step for step in steps)
    assert all(" s  " in step for step in steps)
    assert last.startswith("Installed ")
    assert ended.returncode == 0


def test_a_failure_shows_the_whole_output(command: list[str | Path]) -> None:
    """A failed install could hide its reason, or not stop `make`."""
    ended = subprocess.run(
        [*command, *installer(("no such package",), 3)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "no such package" in ended.stderr
    assert "Installed" not in ended.stdout
    assert ended.returncode == 3


def test_steps_share_a_line_of_the_terminal(command: list[str | Path]) -> None:
    """A hundred lines could push the screen away."""
    ours, theirs = pty.openpty()
    subprocess.run([*command, *installer(PIP)], stdout=theirs, timeout=SECONDS, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert shown.count("\n") == 2
    assert shown.count("\r\033[K") > 2
