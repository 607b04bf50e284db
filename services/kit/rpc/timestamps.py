"""Times as messages carry them."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Writes an aware time; None stays unset."""
    if moment is None:
        return None
    written = Timestamp()
    written.FromDatetime(moment)
    return written
