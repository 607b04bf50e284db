"""Checks the contract with buf: its style, and that clients of the last release are still served.

`protos/released.binpb` is the contract of the last release; `--release` replaces it by today's.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import BIN, ROOT, contract, run

RELEASED = ROOT / "released.binpb"
RULES = """{
  "version": "v2",
  "lint": {"use": ["STANDARD", "COMMENTS"]},
  "breaking": {"use": ["FILE"]}
}"""


def main() -> int:
    """Checks, or releases, the contract; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="take today's contract as released")
    if parser.parse_args().release:
        build(RELEASED)
        return 0
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "contract.binpb"
        build(image)
        return buf("lint", image) or buf("breaking", image, "--against", str(RELEASED))


def build(image: Path) -> None:
    """Writes the contract with its comments and imports as a descriptor set."""
    arguments = ("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
    run(image.parent, *arguments, *contract())


def buf(command: str, image: Path, *arguments: str) -> int:
    """Runs a check of buf over the image and returns its status."""
    scope = ("--config", RULES, "--path", "boxoffice")
    finished = subprocess.run([BIN / "buf", command, image, *arguments, *scope], check=False)
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main())
