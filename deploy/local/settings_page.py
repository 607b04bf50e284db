"""Writes docs/settings.md from the settings classes: `python -m deploy.local.settings_page`."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import IPvAnyNetwork
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.development import DEFAULTS as DEVELOPMENT_DEFAULTS
from deploy.local.settings import PROJECT, RunSettings
from gateway.settings import RedisUrl
from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.accounts.settings import SmtpUrl
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process.setting_names import variables
from services.kit.process.setting_types import Address, DatabaseUrl, Target
from services.migrate import MigrationSettings

FILE = PROJECT / "docs/settings.md"
INTRODUCTION = """# Settings

<!-- Generated from the settings classes by `make settings`. Do not edit. -->

Settings are environment variables. `make run` also reads them from the file `.env`; copy
`.env.example` to start one. A value that cannot be used ends the process with status 2 and a line
that names the variable. So does a name with a prefix of Boxoffice that is no setting. An empty
variable counts as unset.

Every secret can be in a file: `BOXOFFICE_SERVICE_KEY_FILE=/run/secrets/service-key` in place of
`BOXOFFICE_SERVICE_KEY`, and so for each setting below that is a secret. The file is read when the
process starts, and the end of its last line is left out. Setting both is a mistake.
"""
READERS: dict[str, type[BaseSettings]] = {
    "`make run`": RunSettings,
    "gateway": GatewaySettings,
    "events": EventsSettings,
    "bookings": BookingsSettings,
    "accounts": AccountsSettings,
    "migrations": MigrationSettings,
}
SECTIONS = {
    "BOXOFFICE_": "Shared settings",
    "GATEWAY_": "Gateway",
    "EVENTS_": "Events",
    "BOOKINGS_": "Bookings",
    "ACCOUNTS_": "Accounts",
    "": "Other names",
}
FORMS = {
    Address: "host:port",
    Target: "gRPC target",
    DatabaseUrl: "PostgreSQL URL, secret",
    SmtpUrl: "SMTP URL, secret",
    RedisUrl: "Redis URL, secret",
}
NOUNS = {bool: "`true` or `false`", int: "whole number", float: "number", IPvAnyNetwork: "network"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a settings class, the variable that sets it and the process that reads it."""

    name: str
    reader: str
    field: FieldInfo


def page() -> str:
    """Returns the text of the page."""
    found: dict[str, list[Setting]] = {}
    for setting in settings():
        found.setdefault(setting.name, []).append(setting)
    tables = []
    for prefix, title in SECTIONS.items():
        names = [name for name in found if _prefix(name) == prefix]
        rows = [_row(found[name]) for name in names]
        tables.append("\n".join([f"\n## {title}\n", HEADER, *rows, ""]))
    return INTRODUCTION + "".join(tables)


HEADER = "| name | type | default | meaning | read by |\n|---|---|---|---|---|"


def settings() -> Iterator[Setting]:
    """Yields every setting of every process."""
    for reader, model in READERS.items():
        for key, field in model.model_fields.items():
            for name in variables(model, key, field):
                yield Setting(name, reader, field)


def _prefix(name: str) -> str:
    return next(prefix for prefix in SECTIONS if name.startswith(prefix))


def _row(same: list[Setting]) -> str:
    """Returns the row of one variable; the process that it is named after comes first."""
    ordered = sorted(same, key=_rank)
    first = ordered[0]
    readers = ", ".join(dict.fromkeys(setting.reader for setting in ordered))
    meaning = (first.field.description or "").replace("\n", " ").replace("|", "\\|")
    cells = (
        f"`{first.name}`",
        _type(first.name, first.field),
        _default(first.name, ordered),
        meaning,
        readers,
    )
    return f"| {' | '.join(cells)} |"


def _rank(setting: Setting) -> tuple[bool, bool]:
    """Orders who reads a variable: its own process, other processes, `make run`."""
    return setting.reader == "`make run`", not setting.name.lower().startswith(setting.reader)


def _type(name: str, field: FieldInfo) -> str:
    for alias, form in FORMS.items():
        if get_args(alias)[-1] in field.metadata:
            return form
    secret = "" if field.repr else ", secret"
    form = "seconds" if name.endswith("_SECONDS") else _form(field.annotation)
    return form + _bounds(field) + secret


def _form(annotation: Any) -> str:
    """Describes a type, of a list by its items."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list, separated by commas: {_form(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{choice.value}`" for choice in annotation)
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if inner:
        return _form(inner[0])
    return "path" if annotation is Path else NOUNS.get(annotation, "text")


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    found = [
        f"{word} {bound:,}"
        for one in field.metadata
        for key, word in words.items()
        if (bound := getattr(one, key, None)) is not None
    ]
    return "".join(f", {bound}" for bound in found)


def _default(name: str, same: Iterable[Setting]) -> str:
    """Returns the default, and that of `make run` where it differs."""
    by_reader = {setting.reader: _shown(setting.field) for setting in same}
    ours = by_reader.pop("`make run`", None)
    if name in DEVELOPMENT_DEFAULTS:
        ours = f"`{DEVELOPMENT_DEFAULTS[name]}`"
    default = next(iter(by_reader.values()), ours or "none")
    return default if ours in {None, default} else f"{default}; in `make run` {ours}"


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value in ("", (), None):
        return "none"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT)}`"
    if isinstance(value, Enum):
        value = value.value
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> int:
    """Writes or checks the page; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="deploy.local.settings_page", description="Writes docs/settings.md."
    )
    parser.add_argument("--check", action="store_true", help="fail where the page differs")
    if not parser.parse_args().check:
        FILE.write_text(page(), encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{FILE.name} differs from the settings: make settings", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
