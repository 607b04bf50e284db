"""Merges the log lines of all processes: formatted on a terminal, unchanged elsewhere."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TextIO, TypeAlias

from deploy.local.local_http import REQUEST_ID

_Entry: TypeAlias = dict[str, Any]

_CHUNK_BYTES = 65_536
_PLAIN = "\033[0m"
_FAINT = "\033[2m"
_PROCESS_COLOURS = {
    "accounts": "\033[33m",
    "events": "\033[36m",
    "bookings": "\033[35m",
    "gateway": "\033[34m",
}
_LEVEL_COLOURS = {
    "debug": _FAINT,
    "info": "\033[32m",
    "warning": "\033[33m",
    "error": "\033[31m",
    "critical": "\033[31m",
}
_STATUS_COLOURS = {
    "2": "\033[32m",
    "3": "\033[36m",
    "4": "\033[33m",
    "5": "\033[31m",
}
_EMPTY_VALUES = ("", "-", None)
_SHOWN_ELSEWHERE = ("timestamp", "level", "event", "process", "exception", "request_id")
_ID_CHARACTERS = 8


class LogPrinter:
    """Writes the lines of every process to one stream."""

    def __init__(self, stream: TextIO, *, readable: bool, coloured: bool) -> None:
        self._stream = stream
        self._readable = readable
        self._coloured = coloured

    @classmethod
    def for_stream(cls, stream: TextIO) -> "LogPrinter":
        """Formats lines for a terminal only; NO_COLOR is honoured."""
        readable = stream.isatty()
        return cls(stream, readable=readable, coloured=readable and "NO_COLOR" not in os.environ)

    def say(self, text: str) -> None:
        """Writes a message of the runner itself."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError:  # the terminal or the reader of the pipe is gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    async def follow(self, name: str, stream: asyncio.StreamReader) -> None:
        """Writes the output of the process `name` until its stream ends."""
        async for line in _lines(stream):
            self.write(name, line.decode(errors="replace"))

    def write(self, name: str, line: str) -> None:
        """Writes a log line of `name`, unless it is of a request of the run itself."""
        if REQUEST_ID in line and '"answered"' in line:
            return
        if not self._readable:
            self.say(line)
            return
        entry = _parse(line)
        if entry is None:
            self.say(f"{self._label(name)} {line}")
        elif entry.get("event") != "answered" or "path" not in entry:
            self.say(self._event(name, entry))
        else:
            self.say(self._request(entry))

    def note(self, event: str) -> None:
        """Writes a warning of the runner itself, as an entry of the log."""
        entry = {"timestamp": datetime.now(UTC).isoformat(), "level": "warning", "event": event}
        self.write("run", json.dumps(entry | {"process": "run"}))

    def _event(self, name: str, entry: _Entry) -> str:
        level = str(entry.get("level", ""))
        words = [
            self._clock(entry),
            self._label(name),
            self._colour(_LEVEL_COLOURS.get(level, ""), f"{level:<7}"),
            str(entry.get("event", "")),
            *self._pairs(entry),
            *self._id(entry),
        ]
        exception = f"\n{entry['exception']}" if "exception" in entry else ""
        return " ".join(words) + exception

    def _request(self, entry: _Entry) -> str:
        status = str(entry.get("status", ""))
        words = [
            self._clock(entry),
            f"{entry.get('method', ''):<6}",
            _plain(str(entry["path"])),
            self._colour(_STATUS_COLOURS.get(status[:1], ""), status),
            f"{entry.get('duration_ms', 0):.1f} ms",
            *self._id(entry),
        ]
        return " ".join(words)

    def _label(self, name: str) -> str:
        return self._colour(_PROCESS_COLOURS.get(name, ""), f"{name:<8}")

    def _clock(self, entry: _Entry) -> str:
        """Returns the time of day out of an RFC 3339 timestamp."""
        clock = str(entry.get("timestamp", "")).partition("T")[2][:12]
        return self._colour(_FAINT, clock)

    def _id(self, entry: _Entry) -> list[str]:
        """Returns the start of the request's id, which is enough to find it by."""
        request_id = entry.get("request_id")
        if request_id in _EMPTY_VALUES:
            return []
        return [self._colour(_FAINT, str(request_id)[:_ID_CHARACTERS])]

    def _pairs(self, entry: _Entry) -> list[str]:
        shown = {
            key: _plain(str(value))
            for key, value in entry.items()
            if key not in _SHOWN_ELSEWHERE and value not in _EMPTY_VALUES
        }
        return [self._colour(_FAINT, f"{key}=") + value for key, value in shown.items()]

    def _colour(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._coloured and colour else text


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Splits lines of any length; `readline` gives up on long ones."""
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


def _parse(line: str) -> _Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _plain(text: str) -> str:
    """Returns the text with control characters escaped, since clients choose some of it."""
    return text if text.isprintable() else repr(text)
