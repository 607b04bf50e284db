"""Serves the audit log of a service."""

from typing import Any, TypeAlias

import grpc

from boxoffice.audit.v1 import audit_pb2, audit_pb2_grpc
from services.kit.audit.log import AuditLog, Entry
from services.kit.audit.pages import filter_of, page_of
from services.kit.rpc.timestamps import timestamp

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Service: TypeAlias = audit_pb2.AuditedService.ValueType


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Serves boxoffice.audit.v1.AuditService for the entries of one service."""

    def __init__(self, log: AuditLog, service: Service) -> None:
        self._log = log
        self._service = service

    async def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, _: Context
    ) -> audit_pb2.ListAuditEntriesResponse:
        """See audit.proto."""
        wanted, page = filter_of(request), page_of(request)
        if request.HasField("service") and request.service != self._service:
            return audit_pb2.ListAuditEntriesResponse()
        entries, token = await self._log.list(wanted, page)
        return audit_pb2.ListAuditEntriesResponse(
            entries=[_message(entry, self._service) for entry in entries], next_page_token=token
        )


def _message(entry: Entry, service: Service) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        audit_id=str(entry.id),
        created_at=timestamp(entry.created_at),
        service=service,
        actor_kind=audit_pb2.ActorKind.Value(f"ACTOR_KIND_{entry.actor_kind}"),
        actor=entry.actor,
        api_key_id=entry.api_key_id,
        action=entry.action,
        target=entry.target,
        created=entry.created,
        fields=entry.fields,
        request_id=entry.request_id,
        outcome=entry.outcome,
    )
