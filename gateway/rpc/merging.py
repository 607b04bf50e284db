"""Merges the audit logs of all services into one list, newest first."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from boxoffice.audit.v1 import audit_pb2
from gateway.rpc.call import Call, CallContext
from services.kit.audit.pages import page_of
from services.kit.rpc.errors import Refusal

PREFIX = "AUDITED_SERVICE_"


class MergedAudit:
    """Asks the service that a request names, else all of them: `calls` has one for each.

    Numbers of entries follow the clock and are different in all services, so one page token is good
    for each service.
    """

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._calls = calls

    async def __call__(
        self, request: audit_pb2.ListAuditEntriesRequest, context: CallContext
    ) -> audit_pb2.ListAuditEntriesResponse | Refusal:
        """See Call."""
        outcomes: Sequence[Any] = await asyncio.gather(
            *(call(request, context) for call in self._asked(request))
        )
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                return outcome
        return _merged(request, outcomes)

    def _asked(self, request: audit_pb2.ListAuditEntriesRequest) -> Sequence[Call]:
        if not request.HasField("service"):
            return tuple(self._calls.values())
        name = audit_pb2.AuditedService.Name(request.service).removeprefix(PREFIX)
        return [self._calls[name.lower()]]


def _merged(
    request: audit_pb2.ListAuditEntriesRequest,
    pages: Sequence[audit_pb2.ListAuditEntriesResponse],
) -> audit_pb2.ListAuditEntriesResponse:
    page = page_of(request)
    entries = sorted(
        (entry for each in pages for entry in each.entries),
        key=lambda entry: int(entry.audit_id),
        reverse=True,
    )
    shown = entries[: page.size]
    has_more = len(entries) > page.size or any(each.next_page_token for each in pages)
    token = page.token_after(int(shown[-1].audit_id)) if has_more else ""
    return audit_pb2.ListAuditEntriesResponse(entries=shown, next_page_token=token)
