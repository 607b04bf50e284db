"""Converts the messages of NoticesService."""

from datetime import UTC

from boxoffice.accounts.v1 import notices_pb2
from services.accounts.outbox.notices import Notice


def notice(message: notices_pb2.Notice) -> Notice:
    """Reads a notice."""
    expiry = message.offer_expires_at if message.HasField("offer_expires_at") else None
    return Notice(
        id=message.id,
        account_id=message.account_id,
        kind=notices_pb2.NoticeKind.Name(message.kind).removeprefix("NOTICE_KIND_"),
        event_name=message.event_name,
        starts_at=message.starts_at.ToDatetime(UTC) if message.HasField("starts_at") else None,
        seat_count=message.seat_count,
        reference=message.reference,
        offer_expires_at=expiry.ToDatetime(UTC) if expiry else None,
    )
