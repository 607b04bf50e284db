"""Pools for tests, which share a machine that may be slow."""

from typing import Any

from services.kit.database.postgres import Pool, open_pool

PATIENCE_SECONDS = 30


def patient_pool(dsn: str, **settings: Any) -> Pool:
    """Makes a pool on which a crowd may wait for longer than the services would let it."""
    return open_pool(dsn, patience_seconds=PATIENCE_SECONDS, **settings)
