"""Pools for tests, which share a machine that may be slow."""

from typing import Any

from psycopg.conninfo import conninfo_to_dict

from services.kit.database.postgres import Pool, open_pool
from tests.databases import pooler

PATIENCE_SECONDS = 30
PATIENT = {"lock_timeout": "30s", "statement_timeout": "30s"}
"""Settings of sessions in which a test decides how long a lock is held."""


def patient_pool(dsn: str, **settings: Any) -> Pool:
    """Returns a pool with a longer timeout than that of the services."""
    pooled = bool(pooler()) and pooler().items() <= conninfo_to_dict(dsn).items()
    return open_pool(dsn, patience_seconds=PATIENCE_SECONDS, pooled=pooled, **settings)
