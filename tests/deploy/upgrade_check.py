"""Upgrades a running system from a former commit and back, under load: `make upgrade-check`.

Every process has two replicas. While clients go on, the schema is migrated under the former code,
each process is replaced by one of this checkout, and then by one of the former code again, in the
order of docs/deploy.md. No request may fail, and the books must agree.

No part of `make test`: it needs the history of the checkout, and takes minutes.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import make_conninfo

from deploy.local.postgres.server import temporary_postgres
from deploy.local.settings import RunSettings
from deploy.wheels import CHECKOUT
from services.migrate import PASSWORDS, SERVICES, migrate_schemas, role_of
from tests.databases import Database
from tests.e2e.steady_load import Load, replace
from tests.e2e.system import System
from tests.processes import STOP_SECONDS, Process
from tests.services.bookings.conftest import drift

UP = ("bookings", "events", "accounts", "gateway")
"""The order of an upgrade; a downgrade has the opposite one."""
FOLDER = CHECKOUT / "build/upgrade-check"
"""The former code, and the logs of all processes."""


class ReleasedProcess(Process):
    """A process of the code in the folder `code`, started by `python -m`."""

    code = CHECKOUT
    _running: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        """See Process."""
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=self.code,
                env={**environment_of(self.code), **self._settings, **settings},
                stdout=log,
                stderr=log,
            )

    @property
    def is_running(self) -> bool:
        """See Process."""
        return self._running is not None and self._running.poll() is None

    def terminate(self) -> None:
        """See Process."""
        assert self._running is not None, f"{self.name} was never started"
        self._running.terminate()

    def ended(self) -> int:
        """See Process."""
        assert self._running is not None, f"{self.name} was never started"
        return self._running.wait(STOP_SECONDS)

    def kill(self) -> None:
        """See Process."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()


class Upgrade:
    """A system of the former code under load, its upgrade and its downgrade."""

    def __init__(self, system: System, load: Load, former: Path) -> None:
        self._system = system
        self._load = load
        self._former = former

    async def run(self) -> None:
        """Does all steps, and prints what each did to the load."""
        await self._step("the former code")
        await asyncio.to_thread(migrate_schemas, self._system.database.owner_dsn)
        await self._step("the former code on this schema")
        for kind in UP:
            await self._step(f"this code in {kind}", kind, CHECKOUT)
        for kind in reversed(UP):
            await self._step(f"the former code in {kind}", kind, self._former)

    async def _step(self, name: str, kind: str = "", code: Path = CHECKOUT) -> None:
        before, failed = self._load.answered.total(), len(self._load.failures)
        await self._load.go_on()
        for replica in self._system.kinds.get(kind, ()):
            assert isinstance(replica, ReleasedProcess)
            replica.code = code
            await replace(kind, replica)
            # Longer than callers wait before they connect to the new replica.
            await self._load.go_on()
        asked = self._load.answered.total() - before
        print(f"{name:40} {asked:6} requests {len(self._load.failures) - failed:4} failed")


def main() -> None:
    """Checks the upgrade from the commit of the command line; exits with 1 if anything fails."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("ref", help="the commit of the former code")
    ref = arguments.parse_args().ref
    shutil.rmtree(FOLDER, ignore_errors=True)
    former = FOLDER / "code"
    extract(ref, former)
    with temporary_postgres(binaries=RunSettings().postgres_bin) as postgres:
        database = migrated_by(former, postgres.create_database("upgrade"))
        load = upgrade(database, former)
    print(load.summary())
    print(*load.failures[:20], sep="\n")
    sys.exit(bool(load.failures))


def upgrade(database: Database, former: Path) -> Load:
    """Upgrades and downgrades a system; returns the load that it was under."""
    ReleasedProcess.code = former
    with System(
        database,
        FOLDER,
        replicas=2,
        gateways=2,
        other_replicas=2,
        process=ReleasedProcess,
        GATEWAY_DRAIN_SECONDS="1",
    ) as system:
        load = Load.on(system)
        asyncio.run(load.run(Upgrade(system, load, former).run))
        load.check_books(database)
        assert drift(database) == []
    return load


def extract(ref: str, folder: Path) -> None:
    """Writes the files of a commit into a new folder."""
    folder.mkdir(parents=True)
    command = ["git", "-C", str(CHECKOUT), "archive", f"--output={folder}/code.tar", ref]
    subprocess.run(command, check=True)
    shutil.unpack_archive(folder / "code.tar", folder, filter="data")


def migrated_by(code: Path, owner_dsn: str) -> Database:
    """Migrates a database by the former code; returns it."""
    passwords = {
        name: f"{service}-secret" for name, service in zip(PASSWORDS, SERVICES, strict=True)
    }
    environment = {**environment_of(code), **passwords, "BOXOFFICE_DATABASE_URL": owner_dsn}
    subprocess.run(
        [sys.executable, "-m", "services.migrate"], cwd=code, env=environment, check=True
    )
    dsns = {s: make_conninfo(owner_dsn, user=role_of(s), password=f"{s}-secret") for s in SERVICES}
    return Database(owner_dsn, dsns["events"], dsns["bookings"], dsns["accounts"])


def environment_of(code: Path) -> dict[str, str]:
    """Returns an environment in which Python imports the code of a folder."""
    return {**os.environ, "PYTHONPATH": f"{code}:{code / 'protos'}"}


if __name__ == "__main__":
    main()
