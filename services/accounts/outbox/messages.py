"""Converts the messages of NoticesService."""

from datetime import UTC

from boxoffice.accounts.v1 import notices_pb2
from services.accounts.outbox.notices import Notice


def notice(sent: notices_pb2.Notice) -> Notice:
    """Reads what somebody is to be told."""
    expiry = sent.offer_expires_at if sent.HasField("offer_expires_at") else None
    return Notice(
        id=sent.id,
        account_id=sent.account_id,
        kind=notices_pb2.NoticeKind.Name(sent.kind).removeprefix("NOTICE_KIND_"),
        event_name=sent.event_name,
        starts_at=sent.starts_at.ToDatetime(UTC) if sent.HasField("starts_at") else None,
        seat_count=sent.seat_count,
        reference=sent.reference,
        offer_expires_at=expiry.ToDatetime(UTC) if expiry else None,
    )
