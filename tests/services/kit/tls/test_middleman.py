"""Somebody between two processes who passes everything on: he is refused before he hears a word."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.kit.tls.files import TlsFiles
from tests.certificates import Authority
from tests.conftest import Database
from tests.middleman import Connection, Middleman, context_of, listening_in, to_server
from tests.services.kit.serving import RESERVE, scripted, serving
from tests.services.kit.tls.test_grpc import refusal, reserve


async def test_calls_do_not_pass_through_a_man_in_the_middle(
    authority: Authority, stranger: Authority
) -> None:
    """Somebody in the network could read tokens and bookings, or change them."""
    servicer = scripted()
    client = authority.issue("client")
    async with serving(servicer=servicer, tls=authority.issue("server")) as served:
        port = int(served.target.rpartition(":")[2])
        # He even has a certificate that the services accept, as every gateway has one.
        connect = to_server(port, "h2", authority.issue("stolen"))
        async with listening_in(context_of(stranger.issue("server"), "h2"), connect) as middleman:
            target = f"127.0.0.1:{middleman.port}"
            assert "CERTIFICATE_VERIFY_FAILED" in await refusal(target, client)
            assert (bytes(middleman.heard), servicer.requests) == (b"", [])
            # The control: whoever trusts him is heard.
            await reserve(target, replace(client, ca=stranger.file))
            assert RESERVE.user_id.encode() in middleman.heard
            assert servicer.requests == [RESERVE]


@pytest.fixture
def database_over_tcp(database: Database) -> tuple[str, str]:
    """Returns the socket of the PostgreSQL, and the connection string without a host."""
    parts = conninfo_to_dict(database.events_dsn)
    socket = f"{parts.pop('host')}/.s.PGSQL.{parts.pop('port')}"
    return socket, make_conninfo(**parts)  # type: ignore[arg-type]


async def test_the_database_is_reached_through_no_man_in_the_middle(
    authority: Authority, stranger: Authority, database_over_tcp: tuple[str, str]
) -> None:
    """Somebody between a service and PostgreSQL could read bookings, or change statements.

    The PostgreSQL of the tests is built without TLS, so the right end of the connection is a proxy,
    too: one with a certificate of the authority.
    """
    socket, dsn = database_over_tcp

    async def connect() -> Connection:
        return await asyncio.open_unix_connection(socket)

    async def ask(port: int, trusted: Authority) -> object:
        where = f"host=localhost hostaddr=127.0.0.1 port={port}"
        over_tls = make_conninfo(
            f"{dsn} {where}", sslmode="verify-full", sslrootcert=str(trusted.file)
        )
        async with await psycopg.AsyncConnection.connect(over_tls) as connection:
            return await (await connection.execute("SELECT 'a secret'")).fetchone()

    def between(files: TlsFiles) -> AbstractAsyncContextManager[Middleman]:
        return listening_in(context_of(files), connect, asks_first=True)

    async with between(authority.issue("postgres")) as proxy:
        assert await ask(proxy.port, authority) == ("a secret",)
    wrong = {
        "certificate verify failed": stranger.issue("postgres"),
        "does not match host name": authority.issue("other", "other.internal"),
    }
    for reason, files in wrong.items():
        async with between(files) as middleman:
            with pytest.raises(psycopg.OperationalError, match=reason):
                await ask(middleman.port, authority)
            assert bytes(middleman.heard) == b""
    async with between(stranger.issue("postgres")) as middleman:
        # The control: whoever trusts him is heard.
        await ask(middleman.port, stranger)
        assert b"a secret" in middleman.heard
