"""Installs a file of requirements and shows how far it is: `install.py FILE INSTALLER…`.

`make` runs this before anything is installed, so it has the standard library alone.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

_PACKAGE = re.compile(r"^[A-Za-z0-9][^\s=]*==", re.MULTILINE)
# pip announces each package, uv those that take long.
_STEP = re.compile(r"\s*((?:Collecting|Downloading|Building|Installing|Prepared) [^:(]*)")


def main(file: str, *installer: str) -> int:
    """Runs the installer on the file; returns its exit code, and shows its output if it failed."""
    count = len(_PACKAGE.findall(Path(file).read_text()))
    print(f"Installing the {count} packages of {file}; this takes a minute the first time.")
    began = time.monotonic()
    said = []
    with subprocess.Popen(
        [*installer, "--requirement", file],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            said.append(line)
            if step := _STEP.match(line):
                _show(f"{time.monotonic() - began:3.0f} s  {step[1].strip()}")
    if process.returncode:
        print(f"\n{''.join(said)}", file=sys.stderr)
    else:
        _show(f"Installed them in {time.monotonic() - began:.0f} s.")
        print(end="\n" if sys.stdout.isatty() else "")
    return process.returncode


def _show(text: str) -> None:
    """Shows a step: in the place of the last one on a terminal, on its own line elsewhere."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{text[:width]}", end="", flush=True)
    else:
        print(text.rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
