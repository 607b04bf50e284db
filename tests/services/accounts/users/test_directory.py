from datetime import UTC, datetime

import pytest

from boxoffice.accounts.v1 import identity_pb2, identity_pb2_grpc
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.accounts.client import Client, add_account


async def find(client: Client, email: str) -> str:
    """Finds an account as another service; returns why that is refused, if it is."""
    stub = identity_pb2_grpc.IdentityServiceStub(client.channel)
    request = identity_pb2.FindAccountRequest(email=email)
    try:
        return str((await client.call(stub.FindAccount, request)).account_id)
    except Refusal as refusal:
        return refusal.reason


async def test_a_verified_address_is_found(client: Client, database: Database) -> None:
    """A gift could go to nobody because of a capital letter."""
    ada = add_account(database, email_verified=True)
    assert await find(client, f"{ada}@example.com") == ada
    assert await find(client, f"{ada}@Example.COM".replace("acct", "ACCT")) == ada


@pytest.mark.parametrize(
    "fields",
    [
        {"email_verified": False},
        {"email_verified": True, "banned_at": datetime.now(UTC)},
    ],
)
async def test_no_other_address_is_found(
    client: Client, database: Database, fields: dict[str, object]
) -> None:
    """A gift could go to somebody who only claims to have the address."""
    nobody = add_account(database, **fields)
    assert await find(client, f"{nobody}@example.com") == "USER_NOT_FOUND"
    assert await find(client, "unknown@example.com") == "USER_NOT_FOUND"
    assert await find(client, "no address") == "VALIDATION_ERROR"
