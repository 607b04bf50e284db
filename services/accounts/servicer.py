"""The RPCs of accounts: each method reads its request, asks one noun, and writes its response."""

from typing import Any, TypeAlias

import grpc

from boxoffice.accounts.v1 import identity_pb2, identity_pb2_grpc
from services.accounts import messages
from services.accounts.api_keys import ApiKeys
from services.accounts.revocations import Revocations
from services.accounts.signing_keys import SigningKeys

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Serves boxoffice.accounts.v1.IdentityService."""

    def __init__(
        self, signing_keys: SigningKeys, api_keys: ApiKeys, revocations: Revocations
    ) -> None:
        self._signing_keys = signing_keys
        self._api_keys = api_keys
        self._revocations = revocations

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
        return messages.holder(await self._api_keys.resolve(request.api_key))

    async def ListRevocations(
        self, request: identity_pb2.ListRevocationsRequest, _: Context
    ) -> identity_pb2.ListRevocationsResponse:
        """See identity.proto."""
        found = await self._revocations.list(request.after_subject, request.limit)
        return identity_pb2.ListRevocationsResponse(revocations=map(messages.revocation, found))
