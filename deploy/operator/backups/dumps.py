"""Writes a backup: the whole database at one moment, in PostgreSQL's custom format."""

import os
from pathlib import Path

import psycopg

from deploy.operator.backups import programs
from deploy.operator.errors import BackupError
from services.migrate import SERVICES

_MIGRATIONS = "TABLE DATA {service} schema_migrations "


def dump(dsn: str, file: Path) -> int:
    """Writes a backup to a file that must not exist yet; returns its size in bytes.

    The file appears when it is whole. Only its owner can read it: it has everybody's data.
    """
    _expect_schemas(dsn)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        _create(unfinished)
        programs.run("pg_dump", "--format=custom", f"--file={unfinished}", dsn=dsn)
        check(unfinished)
        _publish(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file.stat().st_size


def check(file: Path) -> None:
    """Raises BackupError for a file that is no backup of Boxoffice, or only a part of one."""
    contents = programs.run("pg_restore", "--list", file)
    missing = [name for name in SERVICES if _MIGRATIONS.format(service=name) not in contents]
    if missing:
        raise BackupError(f"{file} is no backup of Boxoffice: it lacks {', '.join(missing)}")


def _create(unfinished: Path) -> None:
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)


def _publish(unfinished: Path, file: Path) -> None:
    """Renames the file once it is on the disk. Raises BackupError if the name is taken."""
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    try:
        os.link(unfinished, file)
    except FileExistsError as error:
        raise BackupError(f"{file} exists: choose another name, or remove it") from error


def _expect_schemas(dsn: str) -> None:
    """Raises BackupError for a database that Boxoffice never used."""
    with psycopg.connect(dsn) as connection:
        for service in SERVICES:
            found = connection.execute("SELECT to_regclass(%s)", [f"{service}.schema_migrations"])
            if found.fetchone() == (None,):
                raise BackupError(f"the database has no schema {service}: nothing to back up")
