"""What `make run` and `boxoffice up` do differently."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from deploy.local.database import Database


class Mode(Protocol):
    """A kind of run. `defaults` and `fixed` are settings of every process."""

    @property
    def defaults(self) -> Mapping[str, str]:
        """Settings that the environment can change."""

    @property
    def fixed(self) -> Mapping[str, str]:
        """Settings that the environment cannot change."""

    @property
    def folder(self) -> Path:
        """The folder in which processes are started."""

    def mail_server(self) -> AbstractAsyncContextManager[str]:
        """Yields the URL of the mail server, or nothing if there is none."""

    async def prepare(self, database: Database) -> None:
        """Prepares the migrated database, before any process is started."""

    async def wait_for_change(self) -> None:
        """Returns when all processes should be started again."""

    async def welcome(self, database: Database) -> str:
        """Does what remains once every process is ready; returns the text to print."""
