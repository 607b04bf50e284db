"""API keys over gRPC: only users with a token manage them, and only their own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from boxoffice.accounts.v1 import api_keys_pb2, api_keys_pb2_grpc
from boxoffice.rest.v1 import rest_pb2
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.kit.rpc.errors import Received
from tests.conftest import Database
from tests.services.accounts.client import SERVICE, Client, add_account, add_api_key
from tests.services.accounts.conftest import Serve

READING = {"name": "backup", "scopes": [rest_pb2.SCOPE_BOOKINGS_READ]}


@dataclass(frozen=True, slots=True)
class Account:
    """The subject of a token."""

    id: str
    role: str = "USER"
    generation: int = 1


class Keeper:
    """Calls ApiKeysService with a credential."""

    def __init__(self, client: Client, stub: api_keys_pb2_grpc.ApiKeysServiceStub) -> None:
        self._client = client
        self._stub = stub

    def show(self, authorization: str) -> None:
        """Sets the credential of further calls."""
        self._client.metadata = (("authorization", authorization),) if authorization else ()

    async def create(self, **fields: Any) -> api_keys_pb2.ApiKey:
        """Creates a key."""
        request = api_keys_pb2.CreateApiKeyRequest(**fields)
        response = await self._client.call(self._stub.CreateApiKey, request)
        made: api_keys_pb2.ApiKey = response.api_key
        return made

    async def list(self) -> list[api_keys_pb2.ApiKey]:
        """Lists the caller's keys."""
        request = api_keys_pb2.ListApiKeysRequest()
        return list((await self._client.call(self._stub.ListApiKeys, request)).api_keys)

    async def delete(self, api_key_id: str) -> None:
        """Deletes a key."""
        request = api_keys_pb2.DeleteApiKeyRequest(api_key_id=api_key_id)
        await self._client.call(self._stub.DeleteApiKey, request)


@pytest.fixture
def account(database: Database) -> str:
    """Adds an account; returns its id."""
    return add_account(database)


@pytest.fixture
async def keeper(serve: Serve, signing_keys: SigningKeys, account: str) -> AsyncIterator[Keeper]:
    """Serves accounts to the owner of the account."""
    async with serve() as client:
        keeper = Keeper(client, api_keys_pb2_grpc.ApiKeysServiceStub(client.channel))
        issued = await Tokens(signing_keys).issue(Account(account))
        keeper.show(f"Bearer {issued.token}")
        yield keeper


async def test_the_secret_is_shown_once(keeper: Keeper) -> None:
    """A list of keys must not reveal secrets."""
    made = await keeper.create(**READING)
    assert made.secret.startswith(f"box_{made.id}_")
    [listed] = await keeper.list()
    assert not listed.HasField("secret")
    assert (listed.id, listed.name, listed.scopes) == (made.id, "backup", made.scopes)
    await keeper.delete(made.id)
    assert await keeper.list() == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": [rest_pb2.SCOPE_UNSPECIFIED]}, "scopes[0]"),
        ({"scopes": [99]}, "scopes[0]"),
        ({"scopes": [rest_pb2.SCOPE_BOOKINGS_READ] * 2}, "scopes"),
    ],
)
async def test_an_invalid_request_creates_no_key(
    keeper: Keeper, wrong: dict[str, Any], path: str
) -> None:
    """The client must see the field that is wrong."""
    with pytest.raises(Received) as refused:
        await keeper.create(**READING | wrong)
    assert {violation.path for violation in refused.value.violations} == {path}
    assert await keeper.list() == []


async def test_no_program_creates_keys(keeper: Keeper, account: str, database: Database) -> None:
    """A leaked key or service key must not create keys that outlive it."""
    scopes = ["EVENTS_WRITE", "BOOKINGS_READ", "BOOKINGS_WRITE"]
    key = add_api_key(database, account, scopes=scopes)
    refusals = []
    for authorization in (f"Bearer {key}", SERVICE[0][1], ""):
        keeper.show(authorization)
        with pytest.raises(Received) as refused:
            await keeper.create(**READING)
        refusals.append(refused.value.reason)
    assert refusals == ["PERMISSION_DENIED", "PERMISSION_DENIED", "UNAUTHENTICATED"]


async def test_keys_of_others_are_hidden(keeper: Keeper, database: Database) -> None:
    """An account must neither see nor delete the keys of another."""
    other = add_api_key(database, add_account(database))
    assert await keeper.list() == []
    with pytest.raises(Received) as refused:
        await keeper.delete(other.split("_")[1])
    assert refused.value.reason == "NOT_FOUND"
