"""Writes docs/settings.md from the settings classes: `python -m deploy.local.settings_page`.

With `--check` it writes nothing, and fails where the page differs.
"""

import argparse
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.settings import PROJECT, RunSettings
from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process.environment import variables
from services.kit.process.settings import Settings as SharedSettings
from services.migrate import MigrationSettings

PAGE = PROJECT / "docs" / "settings.md"
START = """# Settings

This page is written by `make settings` from the settings classes.

Settings are environment variables. `make run` also reads `.env`; `.env.example` is one to copy. A
value that cannot be used ends the process with status 2 and a line that names the variable. So does
an unknown name with one of the prefixes `BOXOFFICE_`, `GATEWAY_`, `EVENTS_`, `BOOKINGS_`,
`ACCOUNTS_` and `MAILBOX_`.
"""
SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("The development run (`make run`)", RunSettings),
    ("Every service", SharedSettings),
    ("Events", EventsSettings),
    ("Bookings", BookingsSettings),
    ("Accounts", AccountsSettings),
    ("The gateway", GatewaySettings),
    ("Migrations (`python -m services.migrate`)", MigrationSettings),
)


def main() -> int:
    """Writes or checks the page; returns the exit status."""
    parser = argparse.ArgumentParser(prog="settings_page", description="Writes docs/settings.md.")
    parser.add_argument("--check", action="store_true", help="fail where the page differs")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/settings.md is not that of the settings: run `make settings`", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """Returns the page: a table for each process."""
    return "\n".join([START, *(_section(title, settings) for title, settings in SECTIONS)])


def _section(title: str, settings: type[BaseSettings]) -> str:
    rows = "\n".join(_rows(settings))
    return f"## {title}\n\n| name | default | meaning |\n|---|---|---|\n{rows}\n"


def _rows(settings: type[BaseSettings]) -> Iterator[str]:
    """Lists the rows of a class; what every service has comes once, in a table of its own."""
    shared = () if settings is SharedSettings else SharedSettings.model_fields
    for key, field in settings.model_fields.items():
        if key in shared and settings not in {GatewaySettings, RunSettings}:
            continue
        names = ", or ".join(f"`{name}`" for name in variables(settings, key, field))
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| {names} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT)}`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.exit(main())
