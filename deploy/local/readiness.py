"""Waits until the gateway says that it and everything behind it is ready."""

import asyncio
import urllib.error
import urllib.request
from http import HTTPStatus

from deploy.local.errors import NotReadyError

READY_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 2.0
# A proxy of the environment must not come between us and our own machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def wait_until_ready(gateway_url: str) -> None:
    """Returns as soon as `GET /ready` answers 200. Raises NotReadyError when it never does."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(_is_ready, f"{gateway_url}/ready"):  # noqa: ASYNC110
                await asyncio.sleep(_PAUSE_SECONDS)  # another process: there is no event to await
    except TimeoutError as exc:
        raise NotReadyError(
            f"{gateway_url}/ready did not answer 200 within {READY_SECONDS:.0f} seconds"
        ) from exc


def _is_ready(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_SECONDS) as response:
            return bool(response.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False
