"""Waits until the gateway says that it and everything behind it is ready."""

import asyncio
from http import HTTPStatus

from deploy.local.errors import NotReadyError
from deploy.local.loopback import open_url

READY_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 2.0


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
        with open_url(url, timeout_seconds=_TIMEOUT_SECONDS) as response:
            return response.status == HTTPStatus.OK
    except OSError:
        return False
