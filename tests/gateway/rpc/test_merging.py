"""The audit logs of all services as one list."""

from typing import Any

from boxoffice.audit.v1 import audit_pb2
from gateway.rpc.call import CallContext
from gateway.rpc.merging import MergedAudit
from services.kit.audit.pages import page_of
from services.kit.rpc.errors import Refusal, Unavailable

CONTEXT = CallContext("r1", "")


class Log:
    """The audit log of a service with entries of some numbers, or one that refuses."""

    def __init__(self, *numbers: int, refusal: Refusal | None = None) -> None:
        self._numbers = sorted(numbers, reverse=True)
        self._refusal = refusal

    async def __call__(self, request: Any, context: CallContext) -> Any:
        """See Call."""
        page = page_of(request)
        rest = [number for number in self._numbers if number < page.before]
        shown = rest[: page.size]
        has_more = len(rest) > len(shown)
        return self._refusal or audit_pb2.ListAuditEntriesResponse(
            entries=[audit_pb2.AuditEntry(audit_id=str(number)) for number in shown],
            next_page_token=page.token_after(shown[-1]) if has_more else "",
        )


async def listed(merged: MergedAudit, *, size: int = 2) -> list[list[int]]:
    """Reads all pages; returns the numbers on each."""
    pages: list[list[int]] = []
    token = ""
    while token or not pages:
        request = audit_pb2.ListAuditEntriesRequest(page_size=size, page_token=token)
        response = await merged(request, CONTEXT)
        assert not isinstance(response, Refusal)
        pages.append([int(entry.audit_id) for entry in response.entries])
        token = response.next_page_token
    return pages


async def test_entries_are_merged_by_time() -> None:
    """Entries could be missing, twice or out of order, wherever a page ends."""
    merged = MergedAudit({"events": Log(1, 4, 7), "bookings": Log(2), "accounts": Log(100, 90)})
    assert await listed(merged) == [[100, 90], [7, 4], [2, 1]]
    assert await listed(merged, size=4) == [[100, 90, 7, 4], [2, 1]]


async def test_no_entries_are_one_empty_page() -> None:
    """An empty log could be an error."""
    assert await listed(MergedAudit({"events": Log(), "bookings": Log()})) == [[]]


async def test_a_service_that_is_down_hides_only_its_own_log() -> None:
    """Entries could be missing without a word, or those of one service be out of reach."""
    merged = MergedAudit({"events": Log(1), "bookings": Log(refusal=Unavailable())})
    request = audit_pb2.ListAuditEntriesRequest()
    assert isinstance(await merged(request, CONTEXT), Unavailable)
    request.service = audit_pb2.AUDITED_SERVICE_EVENTS
    response = await merged(request, CONTEXT)
    assert not isinstance(response, Refusal)
    assert [entry.audit_id for entry in response.entries] == ["1"]
