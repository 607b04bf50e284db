"""Serves the use cases of people."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc

from boxoffice.accounts.v1 import accounts_pb2, accounts_pb2_grpc
from services.accounts.credentials.codes import EXPIRES_IN_SECONDS, RESEND_AFTER_SECONDS
from services.accounts.credentials.sessions import Session
from services.accounts.credentials.tokens import Tokens
from services.accounts.people import messages
from services.accounts.people.people import People
from services.accounts.users import addresses
from services.kit.rpc import context
from services.kit.rpc.errors import ValidationFailed, Violation

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class AccountsServicer(accounts_pb2_grpc.AccountsServiceServicer):
    """Serves boxoffice.accounts.v1.AccountsService."""

    def __init__(self, people: People, tokens: Tokens) -> None:
        self._people = people
        self._tokens = tokens

    async def SendCode(
        self, request: accounts_pb2.SendCodeRequest, _: Context
    ) -> accounts_pb2.SendCodeResponse:
        """See accounts.proto."""
        await self._people.registrations.send_code(addresses.parse(request.email))
        return accounts_pb2.SendCodeResponse(**_CODE_SENT)

    async def RegisterWithCode(
        self, request: accounts_pb2.RegisterWithCodeRequest, _: Context
    ) -> accounts_pb2.RegisterWithCodeResponse:
        """See accounts.proto."""
        session = await self._people.registrations.register_with_code(
            messages.registration(request), request.email_verification_code
        )
        return accounts_pb2.RegisterWithCodeResponse(session=await self._session(session))

    async def Register(
        self, request: accounts_pb2.RegisterRequest, _: Context
    ) -> accounts_pb2.RegisterResponse:
        """See accounts.proto."""
        session = await self._people.registrations.register(messages.registration_by_name(request))
        return accounts_pb2.RegisterResponse(session=await self._session(session))

    async def Login(
        self, request: accounts_pb2.LoginRequest, _: Context
    ) -> accounts_pb2.LoginResponse:
        """See accounts.proto."""
        address = addresses.parse(request.email)
        session = await self._people.password_login.log_in(address, request.password)
        return accounts_pb2.LoginResponse(session=await self._session(session))

    async def RefreshSession(
        self, request: accounts_pb2.RefreshSessionRequest, _: Context
    ) -> accounts_pb2.RefreshSessionResponse:
        """See accounts.proto."""
        session = await self._people.sessions.refresh(request.refresh_token)
        return accounts_pb2.RefreshSessionResponse(session=await self._session(session))

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
        await self._people.sessions.end_all(context.account_id())
        return accounts_pb2.LogoutAllResponse()

    async def GetMe(
        self, request: accounts_pb2.GetMeRequest, _: Context
    ) -> accounts_pb2.GetMeResponse:
        """See accounts.proto."""
        user = await self._people.profiles.get(context.account_id())
        return accounts_pb2.GetMeResponse(profile=messages.profile(user))

    async def UpdateMe(
        self, request: accounts_pb2.UpdateMeRequest, _: Context
    ) -> accounts_pb2.UpdateMeResponse:
        """See accounts.proto."""
        fields = messages.profile_fields(request)
        user = await self._people.profiles.update(context.account_id(), fields)
        return accounts_pb2.UpdateMeResponse(profile=messages.profile(user))

    async def DeleteMe(
        self, request: accounts_pb2.DeleteMeRequest, _: Context
    ) -> accounts_pb2.DeleteMeResponse:
        """See accounts.proto."""
        await self._people.profiles.delete(context.account_id())
        return accounts_pb2.DeleteMeResponse()

    async def ForgotPassword(
        self, request: accounts_pb2.ForgotPasswordRequest, _: Context
    ) -> accounts_pb2.ForgotPasswordResponse:
        """See accounts.proto."""
        await self._people.password_resets.send_code(addresses.parse(request.email))
        return accounts_pb2.ForgotPasswordResponse(**_CODE_SENT)

    async def ResetPassword(
        self, request: accounts_pb2.ResetPasswordRequest, _: Context
    ) -> accounts_pb2.ResetPasswordResponse:
        """See accounts.proto."""
        address = addresses.parse(request.email)
        session = await self._people.password_resets.reset(
            address, request.code, request.new_password
        )
        return accounts_pb2.ResetPasswordResponse(session=await self._session(session))

    async def ChangeEmail(
        self, request: accounts_pb2.ChangeEmailRequest, _: Context
    ) -> accounts_pb2.ChangeEmailResponse:
        """See accounts.proto."""
        account_id, address = context.account_id(), addresses.parse(request.email)
        changes = self._people.email_changes
        if request.HasField("code"):
            user = await changes.change(account_id, address, request.code)
            return accounts_pb2.ChangeEmailResponse(email=user.email, changed=True)
        if not request.HasField("password"):
            raise ValidationFailed(violations=[Violation("password", "is required without a code")])
        user = await changes.send_code(account_id, address, request.password)
        return accounts_pb2.ChangeEmailResponse(email=user.email, changed=False, **_CODE_SENT)

    async def _session(self, session: Session) -> accounts_pb2.Session:
        return messages.session(session, await self._tokens.issue(session.user))


_CODE_SENT: Mapping[str, Any] = MappingProxyType(
    {"expires_in_seconds": EXPIRES_IN_SECONDS, "resend_after_seconds": RESEND_AFTER_SECONDS}
)
