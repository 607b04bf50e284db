"""Checks of the machine: versions, folders, disk, ports, secrets and the clock."""

import ctypes
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deploy.local.errors import PortTakenError
from deploy.local.postgres.disk_space import NEW_DATABASE_MEGABYTES
from deploy.local.postgres.folder_access import reachable, server_account
from deploy.local.processes.port_check import check_ports
from deploy.local.production import SECRETS
from deploy.local.secret import FILE, SHORTEST
from deploy.local.settings import RunSettings
from deploy.operator.doctor.finding import Finding, error, ok, warning
from services.kit.process.secret_files import secret_of
from services.kit.process.settings import SHORTEST_SECRET

OLDEST_PYTHON = (3, 11)
LOW_MEGABYTES = 1_024
_MEGABYTE = 1 << 20
_UNSYNCHRONISED = 5
_TIMEX_BYTES = 512
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_machine(settings: RunSettings, *, is_running: bool) -> Iterator[Finding]:
    """Yields findings; changes nothing, and makes no folder."""
    yield check_versions()
    yield check_rights(settings)
    yield check_disk(settings.data_directory)
    yield check_secrets(settings.data_directory)
    yield check_clock()
    yield check_run_ports(settings, is_running=is_running)


def check_versions() -> Finding:
    """Checks that Python is new enough, and that both packages are of one release."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return error("versions", f"Python {python} is too old: 3.11 or later is needed")
    found = {name: _version(name) for name in ("boxoffice-server", "boxoffice")}
    if len(set(found.values())) != 1:
        both = ", ".join(f"{name} {release}" for name, release in found.items())
        return error("versions", f"{both} must be of one release: install both again")
    return ok("versions", f"Boxoffice {found['boxoffice']}, Python {python}")


def check_rights(settings: RunSettings) -> Finding:
    """Checks that the data directory, or the folder that it will be made in, can be written to."""
    directory = settings.data_directory
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return error("rights", f"{existing} must be a folder that can be written to")
    if not settings.database_url and not reachable(existing / "postgres", server_account()):
        return error(
            "rights", f"{directory} must be a folder that every user can reach; choose another one"
        )
    return ok("rights", f"{directory} {'can be used' if directory.exists() else 'can be made'}")


def check_disk(directory: Path) -> Finding:
    """Checks that there is room for data."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free // _MEGABYTE
    text = f"{free:,} MB are free in {existing}"
    if free < NEW_DATABASE_MEGABYTES:
        return error("disk", f"{text}: a new database takes {NEW_DATABASE_MEGABYTES} MB")
    return warning("disk", text) if free < LOW_MEGABYTES else ok("disk", text)


def check_secrets(directory: Path) -> Finding:
    """Checks the length of all secrets, and that nobody else can read the file with one."""
    for name in SECRETS:
        if 0 < len(secret_of(name, os.environ)) < SHORTEST_SECRET:
            return error("secrets", f"{name} must have {SHORTEST_SECRET} characters or more")
    path = directory / FILE
    if not path.exists():
        return ok("secrets", f"{path} is made at the first start")
    if not os.access(path, os.R_OK):
        return error("secrets", f"{path} cannot be read by this user")
    if len(path.read_bytes()) < SHORTEST:
        return error("secrets", f"{path} is damaged: remove it to have another one made")
    if path.stat().st_mode & _OTHERS:
        return warning("secrets", f"{path} can be read by others: chmod 600 {path}")
    return ok("secrets", f"{path} is yours alone")


def check_clock() -> Finding:
    """Checks that the clock is kept right; holds and tokens end by it."""
    if sys.platform != "linux":
        return ok("clock", "cannot be asked here")
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None).adjtimex(timex)
    if state == _UNSYNCHRONISED:
        return warning("clock", "it is not synchronised: run chrony or systemd-timesyncd")
    return ok("clock", "it is synchronised") if state >= 0 else ok("clock", "cannot be asked here")


def check_run_ports(settings: RunSettings, *, is_running: bool) -> Finding:
    """Checks that the ports are free; those of a Boxoffice that runs are not."""
    if is_running:
        return ok("ports", f"Boxoffice serves {settings.gateway_url}")
    try:
        check_ports(settings, has_mailbox=False, patience_seconds=0)
    except PortTakenError as taken:
        return error("ports", str(taken))
    ports = (settings.port, settings.events_port, settings.bookings_port, settings.accounts_port)
    return ok("ports", f"{', '.join(map(str, ports))} are free")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
