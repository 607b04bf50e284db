"""The Containerfile, and what is sent to its builder."""

import re
from pathlib import Path

from tests.deploy.container.files import CONTAINERFILE, PROJECT

COPIED = re.compile(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", re.MULTILINE)


def test_everything_that_is_copied_is_sent() -> None:
    """A file could be left out of what is built from, and no image be built."""
    sent = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        Path(name) for line in COPIED.findall(CONTAINERFILE.read_text()) for name in line.split()
    ]
    assert Path("requirements-run.txt") in copied
    assert {f"!{path.parts[0]}" for path in copied} <= set(sent)
    assert all((PROJECT / path).exists() for path in copied)
