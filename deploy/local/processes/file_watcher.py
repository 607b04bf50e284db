"""Notices changes of the code that the running processes were started from."""

import asyncio
from pathlib import Path

from watchfiles import Change, awatch

from deploy.local.settings import RunSettings

_FOLDERS = ("services", "gateway", "protos")
_SUFFIXES = (".py", ".sql")


async def wait_for_change(settings: RunSettings, project: Path) -> None:
    """Returns at the first change of the code below `project`; never while reloading is off."""
    if not settings.reload:
        await asyncio.Event().wait()
    folders = [project / name for name in _FOLDERS if (project / name).is_dir()]
    async for _ in awatch(*folders, watch_filter=_matters):
        return


def _matters(change: Change, path: str) -> bool:
    return path.endswith(_SUFFIXES)
