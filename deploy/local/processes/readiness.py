"""Waits until the gateway and every service behind it answer."""

import asyncio
from http import HTTPStatus

from deploy.local.errors import NotReadyError
from deploy.local.local_http import open_url

READY_SECONDS = 90.0
# The first asks bookings, the second events, the third accounts.
_PATHS = ("/ready", "/events?page_size=1", "/.well-known/jwks.json")
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 2.0


async def wait_until_ready(gateway_url: str) -> None:
    """Returns as soon as every service has answered. Raises NotReadyError when one never does."""
    for path in _PATHS:
        await _wait_for(gateway_url + path)


async def _wait_for(url: str) -> None:
    pause = _FIRST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(_answers, url):
                await asyncio.sleep(pause)  # another process: there is no event to await
                pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)
    except TimeoutError as exc:
        raise NotReadyError(f"{url} did not answer 200 within {READY_SECONDS:.0f} seconds") from exc


def _answers(url: str) -> bool:
    try:
        with open_url(url, timeout_seconds=_TIMEOUT_SECONDS) as response:
            return response.status == HTTPStatus.OK
    except OSError:
        return False
