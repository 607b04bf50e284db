"""Serves signing keys, API keys and revocations, with which services check credentials."""

from typing import Any, TypeAlias

import grpc

from boxoffice.accounts.v1 import (
    api_keys_pb2,
    api_keys_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
)
from services.accounts.credentials import messages
from services.accounts.credentials.api_keys import ApiKeys
from services.accounts.credentials.revocations import Revocations
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.users.directory import Directory
from services.kit.rpc import context, paging

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Serves boxoffice.accounts.v1.IdentityService."""

    def __init__(
        self,
        signing_keys: SigningKeys,
        api_keys: ApiKeys,
        revocations: Revocations,
        directory: Directory,
    ) -> None:
        self._signing_keys = signing_keys
        self._api_keys = api_keys
        self._revocations = revocations
        self._directory = directory

    async def GetSigningKeys(
        self, request: identity_pb2.GetSigningKeysRequest, _: Context
    ) -> identity_pb2.GetSigningKeysResponse:
        """See identity.proto."""
        keys = await self._signing_keys.list_published()
        return identity_pb2.GetSigningKeysResponse(keys=map(messages.signing_key, keys))

    async def ResolveApiKey(
        self, request: identity_pb2.ResolveApiKeyRequest, _: Context
    ) -> identity_pb2.ResolveApiKeyResponse:
        """See identity.proto."""
        return messages.resolved_api_key(await self._api_keys.resolve(request.api_key))

    async def FindAccount(
        self, request: identity_pb2.FindAccountRequest, _: Context
    ) -> identity_pb2.FindAccountResponse:
        """See identity.proto."""
        account_id = await self._directory.find(request.email)
        return identity_pb2.FindAccountResponse(account_id=account_id)

    async def ListRevocations(
        self, request: identity_pb2.ListRevocationsRequest, _: Context
    ) -> identity_pb2.ListRevocationsResponse:
        """See identity.proto."""
        found = await self._revocations.list(request.after_subject, request.limit)
        return identity_pb2.ListRevocationsResponse(revocations=map(messages.revocation, found))


class ApiKeysServicer(api_keys_pb2_grpc.ApiKeysServiceServicer):
    """Serves boxoffice.accounts.v1.ApiKeysService to users with a token: no RPC has a scope."""

    def __init__(self, api_keys: ApiKeys) -> None:
        self._api_keys = api_keys

    async def CreateApiKey(
        self, request: api_keys_pb2.CreateApiKeyRequest, _: Context
    ) -> api_keys_pb2.CreateApiKeyResponse:
        """See api_keys.proto."""
        caller, spec = context.caller.get(), messages.api_key_spec(request)
        made = await self._api_keys.create(context.account_id(), caller.generation, spec)
        return api_keys_pb2.CreateApiKeyResponse(api_key=messages.created_api_key(made))

    async def ListApiKeys(
        self, request: api_keys_pb2.ListApiKeysRequest, _: Context
    ) -> api_keys_pb2.ListApiKeysResponse:
        """See api_keys.proto."""
        account_id = context.account_id()
        scope = f"api keys of {account_id}"
        page = paging.parse(request.page_size, request.page_token, scope=scope)
        shown, token = await self._api_keys.list(account_id, page)
        return api_keys_pb2.ListApiKeysResponse(
            api_keys=map(messages.api_key, shown), next_page_token=token
        )

    async def DeleteApiKey(
        self, request: api_keys_pb2.DeleteApiKeyRequest, _: Context
    ) -> api_keys_pb2.DeleteApiKeyResponse:
        """See api_keys.proto."""
        await self._api_keys.delete(context.account_id(), request.api_key_id)
        return api_keys_pb2.DeleteApiKeyResponse()
