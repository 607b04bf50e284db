import sys
from pathlib import Path

from tests.services.bookings.webhooks.conftest import Box
from tests.services.bookings.webhooks.documented import expect_a_change_and_no_forgery, program


async def test_the_documented_receiver_in_python_verifies_our_signatures(
    box: Box, tmp_path: Path
) -> None:
    """People would begin with a program that does not run, or that takes forged requests."""
    source = tmp_path / "receiver.py"
    source.write_text(program("python"), encoding="utf-8")
    await expect_a_change_and_no_forgery(box, [sys.executable, source])
