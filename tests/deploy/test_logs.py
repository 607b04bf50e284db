"""Log lines of many processes read well on a terminal and stay machine-readable elsewhere."""

import asyncio
import io
import json

from deploy.local.logs import LogPrinter

ENTRY = {
    "timestamp": "2026-03-01T12:34:56.789012Z",
    "level": "info",
    "event": "listening",
    "process": "events",
    "port": 50051,
    "request_id": "-",
}
LINE = json.dumps(ENTRY)


async def printed(lines: bytes, *, readable: bool, coloured: bool = False) -> str:
    """Returns what is printed for the lines of the process `events`."""
    output = io.StringIO()
    stream = asyncio.StreamReader()
    stream.feed_data(lines)
    stream.feed_eof()
    await LogPrinter(output, readable=readable, coloured=coloured).follow("events", stream)
    return output.getvalue()


async def test_passes_lines_on_untouched() -> None:
    """A collector of logs gets the JSON that the service wrote."""
    assert await printed(f"{LINE}\n".encode(), readable=False) == f"{LINE}\n"


async def test_shows_an_entry_as_a_line() -> None:
    """A person gets the time, who speaks, how bad it is, what happened, and the rest."""
    shown = await printed(f"{LINE}\n".encode(), readable=True)
    assert shown == "12:34:56.789 events   info    listening port=50051\n"


async def test_colours_do_not_change_the_words() -> None:
    """Colour only helps the eye."""
    shown = await printed(f"{LINE}\n".encode(), readable=True, coloured=True)
    assert "\033[32minfo   \033[0m" in shown
    assert "listening" in shown


async def test_shows_a_traceback_below_its_entry() -> None:
    """A traceback is read line by line."""
    entry = {**ENTRY, "exception": "Traceback:\n  boom"}
    shown = await printed(json.dumps(entry).encode(), readable=True)
    assert shown.endswith("port=50051\nTraceback:\n  boom\n")


async def test_shows_what_is_no_entry() -> None:
    """A crash of the interpreter or a stray print is shown with the name of the process."""
    shown = await printed(b"[1, 2]\nSegmentation \xff fault", readable=True)
    assert shown == "events   [1, 2]\nevents   Segmentation \ufffd fault\n"


async def test_takes_lines_of_any_length() -> None:
    """One long line must not stop the log, nor the process that writes it."""
    line = "x" * 1_000_000
    assert await printed(f"{line}\nshort\n".encode(), readable=False) == f"{line}\nshort\n"


def test_a_file_is_not_a_terminal() -> None:
    """Redirected output is left as it is."""
    printer = LogPrinter.for_stream(io.StringIO())
    assert not printer._readable
