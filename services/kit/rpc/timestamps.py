"""Times in messages."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Writes an aware time; None leaves the field unset."""
    if moment is None:
        return None
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def moment(message: Message, field: str) -> datetime | None:
    """Reads the time in a field; None if the field is not set.

    Raises ValueError or OverflowError for a time outside of the years 1 to 9999.
    """
    if not message.HasField(field):
        return None
    written: Timestamp = getattr(message, field)
    return written.ToDatetime(tzinfo=UTC)
