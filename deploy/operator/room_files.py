"""Files that describe a room: JSON like the body of a request, or CSV with a line for each seat.

Both are read as strictly as a request, but may have as many seats as a room.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from boxoffice.events.v1 import theaters_pb2
from deploy.operator.errors import RoomFileError
from gateway.codec import json_body
from gateway.codec.readers import message_reader
from gateway.http.errors import MalformedJson
from services.events.theaters import messages
from services.events.theaters.layout import plan_of
from services.events.theaters.rooms import PlanContent
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.validation import violations

SHOWN = 20
"""Mistakes that a message lists at most."""
_ROOM = "room"
_SEAT = re.compile(r"^(seats|areas)\[([0-9]+)\]\.?")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_TRUTHS = MappingProxyType({"true": True, "yes": True, "1": True})
_UNTRUTHS = MappingProxyType({"false": False, "no": False, "0": False})

Lines = Mapping[str, Sequence[int]]
"""The numbers of the lines that `seats` and `areas` are in; none for JSON."""


@dataclass(frozen=True, slots=True)
class DescribedRoom:
    """The room that a file describes."""

    name: str
    content: PlanContent


def read(path: Path, *, name: str | None = None) -> DescribedRoom:
    """Reads a room, called like the file unless it is named. Raises RoomFileError."""
    try:
        is_csv = path.suffix.lower() == ".csv"
        members, lines = _read_csv(path) if is_csv else (json_body.parse(path.read_bytes()), {})
    except (UnicodeDecodeError, MalformedJson, csv.Error) as error:
        raise RoomFileError(f"{path} is neither JSON nor CSV in UTF-8") from error
    if name is not None or "name" not in dict(members):
        kept = (member for member in members if member[0] != "name")
        members = (*kept, ("name", name or path.stem))
    try:
        return _described(members)
    except ValidationFailed as refusal:
        raise RoomFileError(_listed(refusal.violations, lines)) from refusal


def _described(members: json_body.Members) -> DescribedRoom:
    """Makes the plan of a room. Raises ValidationFailed."""
    found: list[Violation] = []
    room = message_reader(theaters_pb2.RoomSpec.DESCRIPTOR)(members, _ROOM, found)
    if not found:
        # Requests have fewer seats, which is for the gateway's sake; the plan limits them too.
        found = [violation for violation in violations(room) if violation.path != "seats"]
    if found:
        raise ValidationFailed(violations=found)
    return DescribedRoom(room.name, messages.content(plan_of(messages.layout(room))))


def _listed(found: Sequence[Violation], lines: Lines) -> str:
    """Lists mistakes, each with the line or the field that it is in."""
    shown = [f"{_place(violation.path, lines)}: {violation.message}" for violation in found]
    more = [f"and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    return "\n".join([*shown[:SHOWN], *more])


def _place(path: str, lines: Lines) -> str:
    """Names what a path leads to: `line 7, number` in a file of lines."""
    path = path.removeprefix(f"{_ROOM}.")
    match = _SEAT.match(path)
    if match is None or not lines:
        return path
    field = path[match.end() :]
    return f"line {lines[match[1]][int(match[2])]}" + (f", {field}" if field else "")


def _read_csv(path: Path) -> tuple[json_body.Members, Lines]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        _check_columns(reader.fieldnames or ())
        seats: list[Any] = []
        areas: list[Any] = []
        lines: dict[str, list[int]] = {"seats": [], "areas": []}
        for row in reader:
            members = (*_members(row, reader.line_num),)
            name, rows = ("areas", areas) if "places" in dict(members) else ("seats", seats)
            rows.append(members)
            lines[name].append(reader.line_num)
    return (("seats", seats), ("areas", areas)), lines


def _check_columns(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown or len(set(names)) < len(names) or not names:
        known = ", ".join(_COLUMNS)
        raise RoomFileError(f"line 1: must name columns, each of them once, among {known}")


def _members(row: Mapping[str | None, Any], line: int) -> Iterator[tuple[str, Any]]:
    """Yields the fields of a line that are not empty."""
    for name, text in row.items():
        if name is None or text is None:
            raise RoomFileError(f"line {line}: must have as many columns as the first line")
        if text:
            yield name, _COLUMNS[name](text)


def _text(text: str) -> object:
    return text


def _integer(text: str) -> object:
    """Returns an integer, or the text that is none, which is refused where fields are checked."""
    return int(text) if _INTEGER.fullmatch(text) else text


def _truth(text: str) -> object:
    word = text.lower()
    return _TRUTHS.get(word, _UNTRUTHS.get(word, text))


_COLUMNS: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "section": _text,
        "row": _text,
        "number": _integer,
        "label": _text,
        "type": _text,
        "accessible": _truth,
        "companion": _truth,
        "aisle_after": _truth,
        "x": _integer,
        "y": _integer,
        "places": _integer,
    }
)
