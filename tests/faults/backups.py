"""Backups of databases, for tests of restores."""

from dataclasses import astuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database


class Backups:
    """Copies of a service's database, made and loaded while nothing is connected to it."""

    def __init__(self, server: EmbeddedPostgres, original: Database) -> None:
        self._server = server
        self._names = [str(conninfo_to_dict(original.owner_dsn)["dbname"])]
        self._backup = f"{self._names[0]}_backup"

    def make(self) -> None:
        """Copies the database."""
        self._copy(self._names[0], self._backup)

    def load_elsewhere(self, original: Database) -> Database:
        """Loads the copy into another database and returns it."""
        name = f"{self._names[0]}_restored"
        self._copy(self._backup, name)
        self._names.append(name)
        return Database(*(make_conninfo(dsn, dbname=name) for dsn in astuple(original)))

    def close(self) -> None:
        """Drops the copies."""
        for name in (self._backup, *self._names[1:]):
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _copy(self, source: str, target: str) -> None:
        self._run("CREATE DATABASE {} TEMPLATE {}", target, source)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
