"""The RPCs of accounts: each method reads its request, asks one noun, and writes its response."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc

from boxoffice.accounts.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    api_keys_pb2,
    api_keys_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    notices_pb2,
    notices_pb2_grpc,
)
from services.accounts import messages
from services.accounts.credentials.api_keys import ApiKeys
from services.accounts.credentials.codes import EXPIRES_IN_SECONDS, RESEND_AFTER_SECONDS
from services.accounts.credentials.revocations import Revocations
from services.accounts.credentials.sessions import LogIn
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.outbox.notices import Notices
from services.accounts.people.people import People
from services.accounts.users import addresses
from services.kit.rpc import context, paging
from services.kit.rpc.errors import Unauthenticated, ValidationFailed, Violation

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


class NoticesServicer(notices_pb2_grpc.NoticesServiceServicer):
    """Serves boxoffice.accounts.v1.NoticesService."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def SendNotices(
        self, request: notices_pb2.SendNoticesRequest, _: Context
    ) -> notices_pb2.SendNoticesResponse:
        """See notices.proto."""
        await self._notices.accept(map(messages.notice, request.notices))
        return notices_pb2.SendNoticesResponse()


class AccountsServicer(accounts_pb2_grpc.AccountsServiceServicer):
    """Serves boxoffice.accounts.v1.AccountsService."""

    def __init__(self, people: People, tokens: Tokens) -> None:
        self._people = people
        self._tokens = tokens

    async def SendCode(
        self, request: accounts_pb2.SendCodeRequest, _: Context
    ) -> accounts_pb2.SendCodeResponse:
        """See accounts.proto."""
        await self._people.registrations.send_code(addresses.read(request.email))
        return accounts_pb2.SendCodeResponse(**_CODE_SENT)

    async def RegisterWithCode(
        self, request: accounts_pb2.RegisterWithCodeRequest, _: Context
    ) -> accounts_pb2.RegisterWithCodeResponse:
        """See accounts.proto."""
        log_in = await self._people.registrations.register_with_code(
            messages.form(request), request.email_verification_code
        )
        return accounts_pb2.RegisterWithCodeResponse(session=await self._session(log_in))

    async def Register(
        self, request: accounts_pb2.RegisterRequest, _: Context
    ) -> accounts_pb2.RegisterResponse:
        """See accounts.proto."""
        log_in = await self._people.registrations.register(messages.short_form(request))
        return accounts_pb2.RegisterResponse(session=await self._session(log_in))

    async def Login(
        self, request: accounts_pb2.LoginRequest, _: Context
    ) -> accounts_pb2.LoginResponse:
        """See accounts.proto."""
        address = addresses.read(request.email)
        log_in = await self._people.log_ins.log_in(address, request.password)
        return accounts_pb2.LoginResponse(session=await self._session(log_in))

    async def RefreshSession(
        self, request: accounts_pb2.RefreshSessionRequest, _: Context
    ) -> accounts_pb2.RefreshSessionResponse:
        """See accounts.proto."""
        log_in = await self._people.sessions.refresh(request.refresh_token)
        return accounts_pb2.RefreshSessionResponse(session=await self._session(log_in))

    async def Logout(
        self, request: accounts_pb2.LogoutRequest, _: Context
    ) -> accounts_pb2.LogoutResponse:
        """See accounts.proto."""
        await self._people.sessions.end(request.refresh_token)
        return accounts_pb2.LogoutResponse()

    async def LogoutAll(
        self, request: accounts_pb2.LogoutAllRequest, _: Context
    ) -> accounts_pb2.LogoutAllResponse:
        """See accounts.proto."""
        await self._people.sessions.end_all(_account_id())
        return accounts_pb2.LogoutAllResponse()

    async def GetMe(
        self, request: accounts_pb2.GetMeRequest, _: Context
    ) -> accounts_pb2.GetMeResponse:
        """See accounts.proto."""
        user = await self._people.profiles.get(_account_id())
        return accounts_pb2.GetMeResponse(profile=messages.profile(user))

    async def UpdateMe(
        self, request: accounts_pb2.UpdateMeRequest, _: Context
    ) -> accounts_pb2.UpdateMeResponse:
        """See accounts.proto."""
        fields = messages.profile_fields(request)
        user = await self._people.profiles.update(_account_id(), fields)
        return accounts_pb2.UpdateMeResponse(profile=messages.profile(user))

    async def DeleteMe(
        self, request: accounts_pb2.DeleteMeRequest, _: Context
    ) -> accounts_pb2.DeleteMeResponse:
        """See accounts.proto."""
        await self._people.profiles.delete(_account_id())
        return accounts_pb2.DeleteMeResponse()

    async def ForgotPassword(
        self, request: accounts_pb2.ForgotPasswordRequest, _: Context
    ) -> accounts_pb2.ForgotPasswordResponse:
        """See accounts.proto."""
        await self._people.password_resets.send_code(addresses.read(request.email))
        return accounts_pb2.ForgotPasswordResponse(**_CODE_SENT)

    async def ResetPassword(
        self, request: accounts_pb2.ResetPasswordRequest, _: Context
    ) -> accounts_pb2.ResetPasswordResponse:
        """See accounts.proto."""
        address = addresses.read(request.email)
        log_in = await self._people.password_resets.reset(
            address, request.code, request.new_password
        )
        return accounts_pb2.ResetPasswordResponse(session=await self._session(log_in))

    async def ChangeEmail(
        self, request: accounts_pb2.ChangeEmailRequest, _: Context
    ) -> accounts_pb2.ChangeEmailResponse:
        """See accounts.proto."""
        account_id, address = _account_id(), addresses.read(request.email)
        changes = self._people.email_changes
        if request.HasField("code"):
            user = await changes.change(account_id, address, request.code)
            return accounts_pb2.ChangeEmailResponse(email=user.email, changed=True)
        if not request.HasField("password"):
            raise ValidationFailed(violations=[Violation("password", "is required without a code")])
        user = await changes.send_code(account_id, address, request.password)
        return accounts_pb2.ChangeEmailResponse(email=user.email, changed=False, **_CODE_SENT)

    async def _session(self, log_in: LogIn) -> accounts_pb2.Session:
        return messages.session(log_in, await self._tokens.issue(log_in.user))


class ApiKeysServicer(api_keys_pb2_grpc.ApiKeysServiceServicer):
    """Serves boxoffice.accounts.v1.ApiKeysService, to people alone: no RPC has a scope."""

    def __init__(self, api_keys: ApiKeys) -> None:
        self._api_keys = api_keys

    async def CreateApiKey(
        self, request: api_keys_pb2.CreateApiKeyRequest, _: Context
    ) -> api_keys_pb2.CreateApiKeyResponse:
        """See api_keys.proto."""
        caller, wish = context.caller.get(), messages.wish(request)
        made = await self._api_keys.create(_account_id(), caller.generation, wish)
        return api_keys_pb2.CreateApiKeyResponse(api_key=messages.new_api_key(made))

    async def ListApiKeys(
        self, request: api_keys_pb2.ListApiKeysRequest, _: Context
    ) -> api_keys_pb2.ListApiKeysResponse:
        """See api_keys.proto."""
        account_id = _account_id()
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
        await self._api_keys.delete(_account_id(), request.api_key_id)
        return api_keys_pb2.DeleteApiKeyResponse()


_CODE_SENT: Mapping[str, Any] = MappingProxyType(
    {"expires_in_seconds": EXPIRES_IN_SECONDS, "resend_after_seconds": RESEND_AFTER_SECONDS}
)


def _account_id() -> str:
    """Tells whose account is meant; raises Unauthenticated for a caller without one."""
    account_id = context.caller.get().subject
    if account_id is None:
        raise Unauthenticated
    return account_id
