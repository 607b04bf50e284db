"""A client of accounts, and helpers that write into its tables."""

from typing import Any

import grpc
import psycopg

from boxoffice.accounts.v1 import identity_pb2, identity_pb2_grpc
from services.accounts.credentials.api_keys import sha256
from services.accounts.identifiers import account_id, random_text
from services.kit.rpc.errors import refusal_from_call
from tests.conftest import Database

SERVICE_KEY = "the-key-of-services-in-these-tests"
SERVICE = (("authorization", f"Service {SERVICE_KEY}"),)
CALL_SECONDS = 5


class Client:
    """Calls accounts as another service; raises the Refusal of a failed call."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.identity = identity_pb2_grpc.IdentityServiceStub(channel)
        self.metadata: tuple[tuple[str, str], ...] = SERVICE

    async def signing_keys(self) -> list[identity_pb2.SigningKey]:
        """Gets the key set."""
        request = identity_pb2.GetSigningKeysRequest()
        return list((await self.call(self.identity.GetSigningKeys, request)).keys)

    async def resolve(self, api_key: str) -> identity_pb2.ResolveApiKeyResponse:
        """Resolves an API key."""
        request = identity_pb2.ResolveApiKeyRequest(api_key=api_key)
        found: identity_pb2.ResolveApiKeyResponse
        found = await self.call(self.identity.ResolveApiKey, request)
        return found

    async def revocations(self, **wanted: Any) -> dict[str, int]:
        """Lists the revoked accounts and their oldest valid generations."""
        request = identity_pb2.ListRevocationsRequest(**wanted)
        response = await self.call(self.identity.ListRevocations, request)
        return {found.subject: found.generation for found in response.revocations}

    async def call(self, rpc: Any, request: Any) -> Any:
        """Makes a call."""
        try:
            return await rpc(request, timeout=CALL_SECONDS, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            raise (refusal_from_call(error) or error) from None


def add_account(database: Database, **fields: object) -> str:
    """Adds an account; returns its id."""
    id_ = account_id()
    address = f"{id_}@example.com"
    usual = {"id": id_, "email": address, "canonical_email": address}
    insert(database, "accounts", **usual | fields)
    return id_


def add_api_key(database: Database, account: str, **fields: object) -> str:
    """Adds a key, which by default may read bookings; returns its secret."""
    id_, secret = random_text(16), random_text(52)
    usual = {"name": "test", "scopes": ["BOOKINGS_READ"], "secret_sha256": sha256(secret)}
    insert(database, "api_keys", **{"id": id_, "account_id": account} | usual | fields)
    return f"box_{id_}_{secret}"


def pass_time(database: Database, interval: str) -> None:
    """Makes codes and sessions older."""
    execute(
        database,
        "UPDATE codes SET expires_at = expires_at - %(by)s::interval, asked_at ="
        " (SELECT array_agg(at - %(by)s::interval ORDER BY at) FROM unnest(asked_at) AS at)",
        by=interval,
    )
    execute(
        database,
        "UPDATE sessions SET expires_at = expires_at - %(by)s::interval,"
        " rotated_at = rotated_at - %(by)s::interval",
        by=interval,
    )


def insert(database: Database, table: str, **values: object) -> None:
    """Inserts a row."""
    names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    execute(database, f"INSERT INTO {table} ({names}) VALUES ({places})", **values)


def execute(database: Database, statement: str, **values: object) -> None:
    """Runs a statement as the schema's owner."""
    with connect(database) as connection:
        connection.execute(statement.encode(), values)


def read(database: Database, query: str, **values: object) -> list[Any]:
    """Reads rows as the schema's owner."""
    with connect(database) as connection:
        return connection.execute(query.encode(), values).fetchall()


def connect(database: Database) -> psycopg.Connection[Any]:
    """Connects as the schema's owner."""
    options = "-c search_path=accounts"
    return psycopg.connect(database.owner_dsn, options=options, autocommit=True)
