"""Merges the log lines of all processes: readable on a terminal, untouched anywhere else."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import TextIO

_CHUNK_BYTES = 65_536
_PLAIN = "\033[0m"
_FAINT = "\033[2m"
_PROCESS_COLOURS = {
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
_NOTHING = ("", "-", None)
_SHOWN_FIRST = ("timestamp", "level", "event", "process", "exception")


class LogPrinter:
    """Writes the lines of every process to one stream."""

    def __init__(self, stream: TextIO, *, readable: bool, coloured: bool) -> None:
        self._stream = stream
        self._readable = readable
        self._coloured = coloured

    @classmethod
    def for_stream(cls, stream: TextIO) -> "LogPrinter":
        """Chooses by whether a person looks at the stream; NO_COLOR is honoured."""
        readable = stream.isatty()
        return cls(stream, readable=readable, coloured=readable and "NO_COLOR" not in os.environ)

    def say(self, text: str) -> None:
        """Writes words of the runner itself."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError:  # the terminal or the reader of a pipe is gone; the run goes on unseen
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    async def follow(self, name: str, stream: asyncio.StreamReader) -> None:
        """Writes what the process `name` prints, until it closes the stream."""
        async for line in _lines(stream):
            self.write(name, line.decode(errors="replace"))

    def write(self, name: str, line: str) -> None:
        """Writes a line of the log of `name`."""
        self.say(self._render(name, line) if self._readable else line)

    def _render(self, name: str, line: str) -> str:
        label = self._colour(_PROCESS_COLOURS.get(name, ""), f"{name:<8}")
        entry = _parse(line)
        if entry is None:
            return f"{label} {line}"
        level = str(entry.get("level", ""))
        words = [
            self._colour(_FAINT, _clock(str(entry.get("timestamp", "")))),
            label,
            self._colour(_LEVEL_COLOURS.get(level, ""), f"{level:<7}"),
            str(entry.get("event", "")),
            *self._pairs(entry),
        ]
        exception = f"\n{entry['exception']}" if "exception" in entry else ""
        return " ".join(words) + exception

    def _pairs(self, entry: dict[str, object]) -> list[str]:
        shown = {
            key: value
            for key, value in entry.items()
            if key not in _SHOWN_FIRST and value not in _NOTHING
        }
        return [self._colour(_FAINT, f"{key}=") + str(value) for key, value in shown.items()]

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


def _parse(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _clock(timestamp: str) -> str:
    """Cuts the time of day out of an RFC 3339 timestamp."""
    return timestamp.partition("T")[2][:12]
