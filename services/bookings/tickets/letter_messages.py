"""Protobuf messages of letters with tickets."""

from boxoffice.accounts.v1 import notices_pb2
from services.bookings.tickets.letters import Letter
from services.kit.rpc.timestamps import timestamp


def notice(letter: Letter) -> notices_pb2.Notice:
    """Writes a letter as the notice that accounts mails."""
    ticket = letter.ticket
    files = {"ticket.pdf": letter.pdf, "event.ics": letter.calendar}
    return notices_pb2.Notice(
        id=str(letter.id),
        account_id=ticket.user_id,
        kind=notices_pb2.NOTICE_KIND_TICKET,
        event_name=ticket.event_name,
        starts_at=timestamp(ticket.event_starts_at),
        seat_count=len(ticket.seat_ids),
        reference=str(ticket.reference),
        time_zone=letter.time_zone,
        attachments=[
            notices_pb2.Attachment(name=name, media_type=file.media_type, content=file.data)
            for name, file in files.items()
            if file
        ],
    )
