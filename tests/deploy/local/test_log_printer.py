"""Log lines of many processes read well on a terminal and stay machine-readable elsewhere."""

import asyncio
import io
import json

import pytest

from deploy.local.local_http import REQUEST_ID
from deploy.local.log_printer import LogPrinter

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
    """A log collector could get something else than the services' JSON."""
    assert await printed(f"{LINE}\n".encode(), readable=False) == f"{LINE}\n"


async def test_shows_an_entry_as_a_line() -> None:
    """A person could miss the time, process, level or event of an entry."""
    shown = await printed(f"{LINE}\n".encode(), readable=True)
    assert shown == "12:34:56.789 events   info    listening port=50051\n"


async def test_colours_do_not_change_the_words() -> None:
    """Colours could break the text of a line."""
    shown = await printed(f"{LINE}\n".encode(), readable=True, coloured=True)
    assert "\033[32minfo   \033[0m" in shown
    assert "listening" in shown


REQUEST = {
    "timestamp": "2026-03-01T12:34:56.789012Z",
    "level": "info",
    "event": "answered",
    "process": "gateway",
    "method": "POST",
    "route": "/bookings/{reference}",
    "path": "/bookings/7?q=1",
    "status": 201,
    "duration_ms": 3.217,
    "request_id": "4f3a9c1e2b7d4f3a9c1e2b7d4f3a9c1e",
}


async def test_shows_a_request_as_a_short_line() -> None:
    """The outcome of a request could be lost among the names of fields."""
    shown = await printed(json.dumps(REQUEST).encode(), readable=True)
    assert shown == "12:34:56.789 POST   /bookings/7?q=1 201 3.2 ms 4f3a9c1e\n"


@pytest.mark.parametrize(("status", "colour"), [(201, 32), (304, 36), (409, 33), (503, 31)])
async def test_colours_the_status_of_a_request(status: int, colour: int) -> None:
    """A failed request could look like a successful one."""
    entry = json.dumps(REQUEST | {"status": status}).encode()
    shown = await printed(entry, readable=True, coloured=True)
    assert f"\033[{colour}m{status}\033[0m" in shown
    assert "\033" not in await printed(entry, readable=True)


@pytest.mark.parametrize("readable", [True, False])
async def test_hides_the_requests_of_the_run_itself(*, readable: bool) -> None:
    """The requests that wait for readiness could fill the log."""
    entry = json.dumps(REQUEST | {"request_id": REQUEST_ID}).encode()
    assert await printed(entry, readable=readable) == ""


async def test_shows_the_id_of_a_request_last_and_short() -> None:
    """The request id could push the message away."""
    entry = json.dumps(ENTRY | {"request_id": REQUEST["request_id"]}).encode()
    assert (await printed(entry, readable=True)).endswith("listening port=50051 4f3a9c1e\n")


@pytest.mark.parametrize("entry", [REQUEST | {"path": "/\033[2J\n"}, ENTRY | {"port": "\033[2J\n"}])
async def test_control_characters_are_escaped(entry: dict[str, object]) -> None:
    """A path chosen by a client could send control characters to the terminal."""
    shown = await printed(json.dumps(entry).encode(), readable=True)
    assert "\033" not in shown
    assert shown.count("\n") == 1


async def test_notes_are_entries_like_others() -> None:
    """A warning of the runner could be no JSON in a log of JSON."""
    for readable, expected in ((True, "run      warning careful"), (False, '"event": "careful"')):
        output = io.StringIO()
        LogPrinter(output, readable=readable, coloured=False).note("careful")
        assert expected in output.getvalue()


async def test_shows_a_traceback_below_its_entry() -> None:
    """A traceback could be printed on one line."""
    entry = {**ENTRY, "exception": "Traceback:\n  boom"}
    shown = await printed(json.dumps(entry).encode(), readable=True)
    assert shown.endswith("port=50051\nTraceback:\n  boom\n")


async def test_shows_what_is_no_entry() -> None:
    """A crash of the interpreter could be dropped for not being JSON."""
    shown = await printed(b"[1, 2]\nSegmentation \xff fault", readable=True)
    assert shown == "events   [1, 2]\nevents   Segmentation \ufffd fault\n"


async def test_takes_lines_of_any_length() -> None:
    """A long line could stop the log, and block the process that writes it."""
    line = "x" * 1_000_000
    assert await printed(f"{line}\nshort\n".encode(), readable=False) == f"{line}\nshort\n"


def test_a_file_is_not_a_terminal() -> None:
    """Redirected output could be formatted for a person."""
    printer = LogPrinter.for_stream(io.StringIO())
    assert not printer._readable
