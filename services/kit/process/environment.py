"""Checks settings from the environment, and describes each mistake in one line.

A line has the variable's name, its value unless that is a secret, and what is allowed.
"""

import difflib
import re
import sys
from collections.abc import Collection, Mapping

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from services.kit.process import secret_files
from services.kit.process.setting_names import FILE, aliases, variables
from services.kit.rpc.errors import StartError

BAD_SETTINGS = 2
"""Exit status of a process that its settings keep from starting."""

LONGEST_VALUE = 100
"""Characters of a value that are shown."""

# Kubernetes sets these in every container for each of its services, ours included.
_OF_KUBERNETES = re.compile(
    r"\w+_(SERVICE_(HOST|PORT)(_\w+)?=.*|PORT=(tcp|udp)://.*|PORT_\d+_(TCP|UDP)(_\w+)?=.*)"
)
_ALLOWED = {
    "missing": "must be set",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "ip_any_network": "must be networks like 10.0.0.0/8, separated by commas",
}


class SettingsError(StartError):
    """A process cannot run with its settings; the message has a line for each mistake."""


def refuse(who: str, error: StartError) -> int:
    """Writes to stderr why the program `who` does not start; returns the exit status."""
    lines = [f"{who}: {line}\n" for line in str(error).splitlines()]
    sys.stderr.writelines(lines)
    return BAD_SETTINGS if isinstance(error, SettingsError) else 1


def mistakes(
    settings: type[BaseSettings], environment: Mapping[str, str], *, need_all: bool = True
) -> list[str]:
    """Returns a line for each invalid value of these settings.

    With `need_all=False` settings may be missing, and rules about several of them are not checked.
    """
    files = secret_files.read(settings, environment)
    lines = [file.mistake for file in files if file.mistake]
    unreadable = {name for file in files if file.mistake for name in (file.field, file.key)}
    try:
        settings()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        wanted = [one for one in found if need_all or (one["loc"] and one["type"] != "missing")]
        others = [one for one in wanted if not unreadable.intersection(one["loc"])]
        lines += [_line(settings, one, environment) for one in others]
    return lines


def unknown_names(
    environment: Mapping[str, str], *, prefixes: tuple[str, ...], known: Collection[str]
) -> list[str]:
    """Returns a line for each variable with one of our prefixes that no process reads."""
    return [
        unknown_name(name, known)
        for name, value in environment.items()
        if name.upper().startswith(prefixes)
        and name.upper() not in known
        and not _OF_KUBERNETES.match(f"{name}={value}")
    ]


def unknown_name(name: str, known: Collection[str]) -> str:
    """Returns the line for an unknown name, with the most similar known one."""
    nearest = difflib.get_close_matches(name.upper(), known, n=1)
    return f"{name} is no setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _line(settings: type[BaseSettings], error: ErrorDetails, environment: Mapping[str, str]) -> str:
    """Describes one mistake. The messages of our own validators do not contain the value."""
    allowed = _ALLOWED.get(error["type"]) or _words(error)
    found = _field_at(settings, error["loc"])
    if found is None:
        return allowed
    name, field = found
    given = {key.upper(): value for key, value in environment.items()}
    names = variables(settings, name, field)
    possible = names if field.repr else (*names, *(one + FILE for one in names))
    variable = next((one for one in possible if one in given), names[0])
    if error["type"] == "missing" or not field.repr:
        return f"{variable} {allowed}"
    return f"{variable}={_shown(given.get(variable, ''))} {allowed}"


def _words(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return error["msg"].replace("Input should be", "must be")


def _field_at(
    settings: type[BaseSettings], location: tuple[int | str, ...]
) -> tuple[str, FieldInfo] | None:
    """Finds the field that an error is about; None for one about all of them together."""
    for name, field in settings.model_fields.items():
        if location and location[0] in {name, *aliases(field)}:
            return name, field
    return None


def _shown(value: str) -> str:
    """Returns a value on one line, shortened if it is long."""
    plain = value if value.isprintable() else repr(value)
    return plain if len(plain) <= LONGEST_VALUE else f"{plain[:LONGEST_VALUE]}…"
