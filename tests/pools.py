"""Pools for tests, which share a machine that may be slow."""

from typing import Any

from services.kit.database.postgres import Pool, open_pool

PATIENCE_SECONDS = 30
PATIENT = {"lock_timeout": "30s", "statement_timeout": "30s"}
"""Settings of sessions in which a test decides how long a lock is held."""


def patient_pool(dsn: str, **settings: Any) -> Pool:
    """Returns a pool with a longer timeout than that of the services."""
    return open_pool(dsn, patience_seconds=PATIENCE_SECONDS, **settings)
