"""Converts the messages of NoticesService."""

from boxoffice.accounts.v1 import notices_pb2
from services.accounts.outbox.notices import Attachment, Notice
from services.kit.rpc.timestamps import moment


def notice(message: notices_pb2.Notice) -> Notice:
    """Reads a notice."""
    return Notice(
        id=message.id,
        account_id=message.account_id,
        kind=notices_pb2.NoticeKind.Name(message.kind).removeprefix("NOTICE_KIND_"),
        event_name=message.event_name,
        starts_at=moment(message, "starts_at"),
        seat_count=message.seat_count,
        reference=message.reference,
        offer_expires_at=moment(message, "offer_expires_at"),
        webhook_url=message.webhook_url,
        time_zone=message.time_zone,
        attachments=[
            Attachment(each.name, each.media_type, each.content) for each in message.attachments
        ],
    )
