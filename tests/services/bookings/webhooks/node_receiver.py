"""Runs the receiver of docs/webhooks.md for Node, with the library of the specification.

`make node-receiver`; it needs npm, and so is no test of the suite.
"""

import asyncio
import re
from pathlib import Path

from tests.services.bookings.webhooks.conftest import Box
from tests.services.bookings.webhooks.documented import (
    PAGE,
    expect_a_change_and_no_forgery,
    program,
)


async def test_the_documented_receiver_in_node_verifies_our_signatures(
    box: Box, tmp_path: Path
) -> None:
    """Our signatures could be good for nothing but the library that makes them."""
    source = tmp_path / "receiver.mjs"
    source.write_text(program("js"), encoding="utf-8")
    [install] = re.findall(r"`(npm init .*?)`", PAGE.read_text(encoding="utf-8"))
    npm = await asyncio.create_subprocess_shell(install, cwd=tmp_path)
    assert await npm.wait() == 0
    await expect_a_change_and_no_forgery(box, ["node", source])
