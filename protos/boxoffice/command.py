"""The command `boxoffice`, for operators. What it does is in a checkout, not in this package.

Installed is the contract alone, so that nobody who only calls Boxoffice gets its servers; whoever
runs it has the checkout that it runs from.
"""

import importlib
import importlib.metadata
import sys
from pathlib import Path

COMMANDS = "deploy/operator/__main__.py"
OURS = ("deploy", "services", "gateway", "boxoffice")
HELP = """Usage: boxoffice [OPTIONS] COMMAND [ARGS]...

  Operate Boxoffice: migrations, sample data, accounts, API keys, signing keys.

  The commands are part of a checkout of Boxoffice, not of the package that is
  installed for its clients. Run this in a checkout, where `make run` or
  `pip install -r requirements.txt` has installed what the services need.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit."""


def main() -> None:
    """Runs the commands of the checkout: the one we are in, or the one this was installed from."""
    places = (Path.cwd(), Path(__file__).parents[2])
    checkout = next((place for place in places if (place / COMMANDS).exists()), None)
    if checkout is None:
        _answer("run this in a checkout of Boxoffice, which has the commands")
        return
    sys.path.insert(0, str(checkout))
    try:
        commands = importlib.import_module("deploy.operator.__main__")
    except ModuleNotFoundError as missing:
        name = str(missing.name).partition(".")[0]
        if name in OURS:
            raise
        _answer(f"{name} is not installed: pip install -r {checkout}/requirements.txt")
        return
    commands.main()


def _answer(refusal: str) -> None:
    """Answers what needs no commands, and refuses everything else."""
    asked = sys.argv[1:2]
    if asked in (["--help"], ["-h"]):
        sys.stdout.write(f"{HELP}\n")
    elif asked == ["--version"]:
        sys.stdout.write(f"boxoffice, version {importlib.metadata.version('boxoffice')}\n")
    else:
        sys.exit(f"boxoffice: {refusal}")
