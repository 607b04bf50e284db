"""The RPCs of reports."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import reports_pb2, reports_pb2_grpc
from services.bookings.access import Viewers
from services.bookings.reports import messages
from services.bookings.reports.reports import Reports
from services.bookings.reports.sheets import Sheets

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ReportsServicer(reports_pb2_grpc.ReportsServiceServicer):
    """Serves boxoffice.bookings.v1.ReportsService."""

    def __init__(self, reports: Reports, sheets: Sheets, *, open_access: bool) -> None:
        self._reports = reports
        self._sheets = sheets
        self._viewers = Viewers(open_access)

    async def GetEventReport(
        self, request: reports_pb2.GetEventReportRequest, _: Context
    ) -> reports_pb2.GetEventReportResponse:
        """See reports.proto."""
        found = await self._reports.get(request.event_id, self._viewers.current())
        return reports_pb2.GetEventReportResponse(
            report=messages.report(found), inventory_revision=found.event.rev
        )

    async def RenderEventReport(
        self, request: reports_pb2.RenderEventReportRequest, _: Context
    ) -> AsyncIterator[reports_pb2.RenderEventReportResponse]:
        """See reports.proto."""
        await self._reports.expect_own(request.event_id, self._viewers.current())
        disposition = messages.file_name(request.event_id)
        async for lines in self._sheets.read(request.event_id):
            part = messages.part(lines)
            part.content_disposition, disposition = disposition, ""
            yield part
