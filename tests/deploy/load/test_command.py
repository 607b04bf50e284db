"""How `boxoffice load` is called, and how it ends."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from click.testing import CliRunner

from deploy.operator.__main__ import boxoffice
from tests.deploy.load.fake_system import FakeSystem, serving


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["https://tickets.example"], "tickets.example is another machine"),
        (["http://10.0.0.1:3000"], "Repeat the command with --yes"),
        (["ftp://127.0.0.1"], "must be like http://127.0.0.1:3000"),
        (["http://127.0.0.1:99999"], "is no URL"),
        (["http://a:b@127.0.0.1"], "no password"),
        (["--rate", "5"], "--rate is for --profile steady"),
        (["--profile", "steady", "--buyers", "5"], "in place of --buyers"),
        (["--profile", "steady", "--rate", "5000", "--seconds", "600"], "is over 200000 purchases"),
        (["--event", "1", "--seats", "5"], "are for an event that is made"),
        (["--room", "1", "--seats", "5"], "leave out --seats"),
        (["--buyers", "1000000"], "is not in the range"),
        (["http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"),
    ],
)
def test_bad_usage_is_refused(arguments: list[str], message: str) -> None:
    """A mistake could put load on another system, or more load than was meant."""
    result = CliRunner().invoke(boxoffice, ["load", *arguments], prog_name="boxoffice")
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@contextlib.contextmanager
def served(system: FakeSystem) -> Iterator[str]:
    """Serves a fake system in a thread of its own during the block; yields its URL."""
    loop, found, over = asyncio.new_event_loop(), Future[str](), asyncio.Event()

    async def serve() -> None:
        async with serving(system) as target:
            found.set_result(target.url)
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield found.result()
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def test_ctrl_c_ends_the_load_and_checks_it() -> None:
    """Ctrl-C could leave bookings behind that nobody has checked."""
    system = FakeSystem()
    system.on_reserve = lambda number: interrupt() if number == 3 else None
    with served(system) as url:
        arguments = ["load", url, "--profile", "steady", "--rate", "20", "--seconds", "600"]
        result = CliRunner().invoke(boxoffice, arguments, prog_name="boxoffice")
    assert result.exit_code == 0, result.output
    assert "Stopping; what was booked is checked." in result.stderr
    assert f"Stopped after {len(system.bookings)} of 12000 purchases." in result.stdout
    assert f"{len(system.bookings)} seats booked" in result.stdout


def test_a_second_ctrl_c_is_no_success() -> None:
    """A load that was ended without a check could look like one that passed."""
    system = FakeSystem(cut_offs=1_000_000)
    # The second one comes while lost responses are asked for again.
    system.on_reserve = lambda number: interrupt() if number in {3, 8} else None
    with served(system) as url:
        arguments = ["load", url, "--profile", "steady", "--rate", "20", "--seconds", "600"]
        result = CliRunner().invoke(boxoffice, arguments, prog_name="boxoffice")
    assert result.exit_code == 130, result.output
    assert "without a check" in result.stderr


def interrupt() -> None:
    """Presses Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
