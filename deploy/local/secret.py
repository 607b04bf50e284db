"""The secret of a data directory, from which all secrets of a run are derived."""

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from deploy.local.errors import LocalRunError

FILE = "secret"
SHORTEST = 32
"""Characters that the secret must have; a file with fewer was damaged."""


def load_secret(directory: Path) -> bytes:
    """Returns the secret, and makes it if there is none. Raises LocalRunError for a damaged one."""
    path = directory / FILE
    if not path.exists():
        _make(path)
    secret = path.read_bytes()
    if len(secret) < SHORTEST:
        raise LocalRunError(
            f"{path} must have {SHORTEST} characters or more: restore it from a backup, or remove "
            "it to have another one made"
        )
    return secret


def derived(secret: bytes, purpose: str) -> str:
    """Returns the secret for one purpose; none of them betrays another one."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    """Writes a new secret whole or not at all; the one of another process wins."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{FILE}-") as file:
        file.write(secrets.token_hex(SHORTEST).encode())
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
