import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
ENTRYPOINT = PROJECT / "deploy/container/entrypoint.sh"
ECHO = '#!/bin/sh\necho "$@"\n'


def enter(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the entrypoint with a Python that prints its arguments."""
    python = folder / "python"
    python.write_text(ECHO)
    python.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", ENTRYPOINT, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    )


@pytest.mark.parametrize(
    ("arguments", "started"),
    {
        ("gateway",): "-m gateway",
        ("events",): "-m services.events",
        ("bookings",): "-m services.bookings",
        ("accounts",): "-m services.accounts",
        ("migrate",): "-m services.migrate",
        ("healthy", "events"): "-m deploy.container.healthy events",
        ("up",): "-m deploy.operator up",
        ("rotate-keys", "--first"): "-m deploy.operator rotate-keys --first",
    }.items(),
)
def test_the_argument_chooses_the_process(
    arguments: tuple[str, ...], started: str, tmp_path: Path
) -> None:
    """A container could run another process than it was asked for."""
    assert enter(tmp_path, *arguments).stdout == f"{started}\n"


def test_without_an_argument_nothing_starts(tmp_path: Path) -> None:
    """A container without a command could look as if it ran something."""
    entered = enter(tmp_path)
    assert (entered.returncode, entered.stdout) == (64, "")
    assert "usage: gateway | events" in entered.stderr


def test_the_builder_gets_all_that_is_copied() -> None:
    """A file could be added to the image that `.dockerignore` keeps from the builder."""
    lines = (PROJECT / "deploy/container/Containerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    sources = {
        path.split("/")[0]
        for copied in copies
        if not any(word.startswith("--from=") for word in copied)
        for path in copied
        if not path.startswith("--")
    }
    ignore = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources <= {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "services" in sources
