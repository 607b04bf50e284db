"""Checks the gateway with the official client of Socket.IO, in Node: `make socket-io`.

It needs npm, and so is no test of the suite.
"""

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from gateway.sockets.routes import SCRIPT
from tests.gateway.conftest import run_gateway
from tests.gateway.live.ledger import Ledger, ledger_server

CHECKS = Path(__file__).with_suffix(".mjs")
CHANGES_SECONDS = 0.02


async def check() -> int:
    """Runs the checks while seats change; returns the exit status."""
    ledger = Ledger()
    async with (
        ledger_server(ledger) as target,
        run_gateway(target) as gateway,
        asyncio.TaskGroup() as group,
    ):
        changing = group.create_task(change(ledger))
        try:
            with tempfile.TemporaryDirectory() as folder:
                return await run(Path(folder), gateway.url)
        finally:
            changing.cancel()


async def change(ledger: Ledger) -> None:
    """Changes a seat until cancelled."""
    while True:
        await ledger.hold_and_free(1)
        await asyncio.sleep(CHANGES_SECONDS)


async def run(folder: Path, url: str) -> int:
    """Installs the client whose script the gateway serves, and runs the checks with it."""
    shutil.copy(CHECKS, folder)
    [version] = re.findall(r"Socket\.IO v(\S+)", SCRIPT.read_text(encoding="utf-8")[:200])
    # Without a package.json npm would take the project of a folder above.
    install = f"npm init -y >/dev/null && npm install --silent socket.io-client@{version}"
    steps = f"{install} && node {CHECKS.name} {url}"
    process = await asyncio.create_subprocess_shell(steps, cwd=folder)
    return await process.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(check()))
