"""Pages of the audit log, which are the same in each service and where they are merged."""

from datetime import datetime

from boxoffice.audit.v1 import audit_pb2
from services.kit.audit.log import Filter
from services.kit.rpc import paging
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.timestamps import moment


def filter_of(request: audit_pb2.ListAuditEntriesRequest) -> Filter:
    """Reads which entries to list. Raises ValidationFailed for a time that no clock shows."""
    return Filter(
        actor=request.actor if request.HasField("actor") else None,
        target=request.target if request.HasField("target") else None,
        since=_time(request, "since"),
        until=_time(request, "until"),
    )


def page_of(request: audit_pb2.ListAuditEntriesRequest) -> paging.Page:
    """Reads which page to list. Raises InvalidPageToken."""
    scope = f"audit entries of {request.service}: {filter_of(request)}"
    return paging.parse(request.page_size, request.page_token, scope=scope)


def _time(request: audit_pb2.ListAuditEntriesRequest, field: str) -> datetime | None:
    try:
        return moment(request, field)
    except (ValueError, OverflowError) as error:
        wrong = Violation(field, "must be a time of the years 1 to 9999")
        raise ValidationFailed(violations=[wrong]) from error
