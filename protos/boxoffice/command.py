"""The command `boxoffice`, for operators. What it does is in a checkout, not in this package.

Installed is the contract alone, so that nobody who only calls Boxoffice gets its servers; whoever
runs it has the checkout that it runs from.
"""

import importlib
import sys
from pathlib import Path

COMMANDS = "deploy/operator/__main__.py"


def main() -> None:
    """Runs the commands of the checkout: the one we are in, or the one this was installed from."""
    places = (Path.cwd(), Path(__file__).parents[2])
    checkout = next((place for place in places if (place / COMMANDS).exists()), None)
    if checkout is None:
        sys.exit("boxoffice: run this in a checkout of Boxoffice, which has the services")
    sys.path.insert(0, str(checkout))
    importlib.import_module("deploy.operator.__main__").main()
