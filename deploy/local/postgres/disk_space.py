"""Recognises a full disk in PostgreSQL's messages, and reports it in one sentence."""

import shutil
from pathlib import Path

NEW_DATABASE_MEGABYTES = 50

_MEGABYTE = 1 << 20
_SIGNS = ("No space left on device", "Check free disk space", "Disk quota exceeded")


def full_disk(folder: Path, message: str) -> str | None:
    """Returns the sentence if `message`, about `folder`, means a full disk, else None."""
    if not any(sign in message for sign in _SIGNS):
        return None
    free = shutil.disk_usage(folder).free // _MEGABYTE
    return (
        f"the disk of {folder} is full: a new database takes {NEW_DATABASE_MEGABYTES} MB, "
        f"and {free} MB are free now"
    )
