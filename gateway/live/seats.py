"""The seats of one event: which are held, sold or blocked, and how many are left."""

import base64
from collections.abc import Iterable, Sequence

from boxoffice.bookings.v1 import live_pb2

HELD = live_pb2.SEAT_CHANGE_KIND_HELD
SOLD = live_pb2.SEAT_CHANGE_KIND_SOLD
FREED = live_pb2.SEAT_CHANGE_KIND_FREED
BLOCKED = live_pb2.SEAT_CHANGE_KIND_BLOCKED


class Seats:
    """The seats as of a revision, which changes bring up to date."""

    def __init__(self, snapshot: live_pb2.SeatSnapshot) -> None:
        self.revision = snapshot.revision
        self.version = snapshot.version
        self.status = snapshot.status
        self.total = snapshot.total_seats
        self.left = snapshot.left
        self._held = bytearray(snapshot.held)
        self._sold = bytearray(snapshot.sold)
        self._blocked = bytearray(snapshot.blocked)

    @property
    def count(self) -> int:
        """How many seats the bitmaps have at most; 0 without a room."""
        return 8 * len(self._held)

    @property
    def bitmaps(self) -> tuple[str, str, str]:
        """Which seats are held, sold and blocked, in base64."""
        held, sold, blocked = (
            base64.b64encode(each).decode() for each in (self._held, self._sold, self._blocked)
        )
        return held, sold, blocked

    def apply(self, change: live_pb2.SeatChange) -> None:
        """Applies the next change."""
        self.revision = change.revision
        self.left -= change.seats
        if change.kind == BLOCKED:
            self.total -= change.seats
        elif change.kind == FREED:
            self.total += sum(_has(self._blocked, seat) for seat in change.seat_ids)
        self._mark(change.kind, change.seat_ids)

    def free(self, seat_ids: Iterable[int]) -> list[int]:
        """Returns those of the seats that are free."""
        taken = bytes(
            held | sold | blocked
            for held, sold, blocked in zip(self._held, self._sold, self._blocked, strict=True)
        )
        return [seat for seat in seat_ids if not _has(taken, seat)]

    def _mark(self, kind: live_pb2.SeatChangeKind.ValueType, seat_ids: Sequence[int]) -> None:
        for bitmap, own in ((self._held, HELD), (self._sold, SOLD), (self._blocked, BLOCKED)):
            for seat in seat_ids if bitmap else ():
                byte, bit = divmod(seat - 1, 8)
                if kind == own:
                    bitmap[byte] |= 1 << bit
                else:
                    bitmap[byte] &= ~(1 << bit)


def _has(bitmap: bytes | bytearray, seat: int) -> bool:
    byte, bit = divmod(seat - 1, 8)
    return bool(bitmap and bitmap[byte] >> bit & 1)
