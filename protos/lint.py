"""Checks the contract with buf: its style, and that clients of the last release are still served.

`buf.yaml` has the rules. `protos/released.binpb` is the contract of the last release; `--release`
replaces it by today's.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import BIN, ROOT

RELEASED = ROOT / "released.binpb"
# A level of idempotency that is declared later breaks no client.
RULES = '{"use": ["FILE"], "except": ["RPC_SAME_IDEMPOTENCY_LEVEL"]}'
BREAKING = f'{{"version": "v2", "breaking": {RULES}}}'


def main() -> int:
    """Checks, or releases, the contract; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="take today's contract as released")
    if parser.parse_args().release:
        return build(RELEASED)
    return buf("lint", ROOT) or check_compatibility()


def check_compatibility() -> int:
    """Compares the contract with the released one, as one image each; returns the status."""
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "contract.binpb"
        released = ("--against", RELEASED, "--config", BREAKING, "--exclude-imports")
        return build(image) or buf("breaking", image, *released)


def build(image: Path) -> int:
    """Writes the contract with its comments and imports as an image; returns the status."""
    return buf("build", ROOT, "--path", ROOT / "boxoffice", "--output", image)


def buf(*arguments: str | Path) -> int:
    """Runs buf and returns its status."""
    return subprocess.run([BIN / "buf", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
