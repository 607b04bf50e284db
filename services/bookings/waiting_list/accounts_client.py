"""A client of accounts, which mails notices."""

from collections.abc import Sequence

import grpc

from boxoffice.accounts.v1 import notices_pb2, notices_pb2_grpc
from services.bookings.waiting_list import messages
from services.bookings.waiting_list.notices import Notice
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc.channel import call

NOTICES_SECONDS = 2.0


class AccountsClient:
    """Sends notices to accounts, with the services' own key."""

    def __init__(self, channel: grpc.aio.Channel, service_key: str) -> None:
        self._stub = notices_pb2_grpc.NoticesServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key

    async def send_notices(self, notices: Sequence[Notice]) -> None:
        """See notices.Accounts."""
        await call(
            self._stub.SendNotices,
            notices_pb2.SendNoticesRequest(notices=map(messages.notice, notices)),
            timeout_seconds=NOTICES_SECONDS,
            authorization=self._authorization,
        )
