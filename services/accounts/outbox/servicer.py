"""Serves the notices that other services send to people."""

from typing import Any, TypeAlias

import grpc

from boxoffice.accounts.v1 import notices_pb2, notices_pb2_grpc
from services.accounts.outbox import messages
from services.accounts.outbox.notices import Notices

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


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
