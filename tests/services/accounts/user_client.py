"""A client of accounts that calls it as a user."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import grpc

from boxoffice.accounts.v1 import accounts_pb2, accounts_pb2_grpc
from services.kit.rpc.errors import refusal_from_call
from tests.services.accounts.mailbox import Mailbox

ADA = "ada@example.com"
PASSWORD = "correct horse battery staple"
CALL_SECONDS = 10
LETTER_SECONDS = 10


@dataclass
class UserClient:
    """Calls AccountsService as a user: with the last access token, and with access to the inbox."""

    stub: accounts_pb2_grpc.AccountsServiceStub
    inbox: Mailbox
    session: accounts_pb2.Session = field(default_factory=accounts_pb2.Session)

    async def call(self, rpc: str, **fields: Any) -> Any:
        """Makes a call; raises the Refusal of a failed one."""
        method = getattr(self.stub, rpc)
        request = getattr(accounts_pb2, f"{rpc}Request")(**fields)
        token = self.session.access_token
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            response = await method(request, timeout=CALL_SECONDS, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise (refusal_from_call(error) or error) from None
        if "session" in response.DESCRIPTOR.fields_by_name:
            self.session = response.session
        return response

    async def register(self, email: str = ADA, **fields: Any) -> accounts_pb2.User:
        """Registers with a code from an e-mail."""
        await self.call("SendCode", email=email, type="register")
        usual = {"firstname": "Ada", "lastname": "Lovelace", "password": PASSWORD}
        code = await self.code(email)
        await self.call(
            "RegisterWithCode", **usual | fields, email=email, email_verification_code=code
        )
        return self.session.user

    async def code(self, email: str, *, emails: int = 1) -> str:
        """Waits for so many e-mails to an address; returns the code in the last one."""
        async with asyncio.timeout(LETTER_SECONDS):
            while self.inbox.count(email) < emails:  # noqa: ASYNC110 - the email comes by itself
                await asyncio.sleep(0.02)
        return self.inbox.code(email)
