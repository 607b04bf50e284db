"""A client of accounts, which mails notices."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import grpc

from boxoffice.accounts.v1 import notices_pb2, notices_pb2_grpc
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc.channel import call

NOTICES_SECONDS = 2.0

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
