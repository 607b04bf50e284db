"""Clients of accounts, which mails notices and finds accounts."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import grpc

from boxoffice.accounts.v1 import (
    identity_pb2,
    identity_pb2_grpc,
    notices_pb2,
    notices_pb2_grpc,
)
from services.bookings.errors import UserNotFound
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc.channel import call
from services.kit.rpc.errors import Received, Refusal, Unavailable

NOTICES_SECONDS = 2.0
FIND_SECONDS = 1.0

NoticeT = TypeVar("NoticeT")


class AccountsClient(Generic[NoticeT]):
    """Sends notices of a room to accounts, with the services' own key.

    `message` converts one of them.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        service_key: str,
        message: Callable[[NoticeT], notices_pb2.Notice],
    ) -> None:
        self._stub = notices_pb2_grpc.NoticesServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key
        self._message = message

    async def send_notices(self, notices: Sequence[NoticeT]) -> None:
        """Sends notices, all or none. After a Refusal it is unknown whether accounts has them."""
        await call(
            self._stub.SendNotices,
            notices_pb2.SendNoticesRequest(notices=map(self._message, notices)),
            timeout_seconds=NOTICES_SECONDS,
            authorization=self._authorization,
        )


class AccountFinder:
    """Finds accounts, with the services' own key."""

    def __init__(self, channel: grpc.aio.Channel, service_key: str) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key

    async def find_account(self, email: str) -> str:
        """Returns the id of the account with a verified address.

        Raises UserNotFound, a violation of `email`, or Unavailable if accounts is down.
        """
        try:
            response: identity_pb2.FindAccountResponse = await call(
                self._stub.FindAccount,
                identity_pb2.FindAccountRequest(email=email),
                timeout_seconds=FIND_SECONDS,
                authorization=self._authorization,
            )
        except Received as refusal:
            if refusal.reason == UserNotFound.reason:
                raise UserNotFound from refusal
            raise
        except Refusal as refusal:
            raise Unavailable from refusal
        return response.account_id
