"""Which seats of an event are taken, and by which bookings.

Maps are integers with the bit `seat id - 1` for each seat, as in seating. They are stored in blocks
of BLOCK seats.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.bookings.errors import Contradiction
from services.bookings.seating.plan import map_of

BLOCK = 1_024
BLOCK_BYTES = BLOCK // 8
_ALL_FREE = [bytes(BLOCK_BYTES)] * 3
BLOCKED = 0
"""Stands for the number of a booking as the holder of a blocked seat."""


class Claim(NamedTuple):
    """A seat with its former and its new holder: a booking, BLOCKED or None."""

    seat_id: int
    before: int | None
    after: int | None


class Block(NamedTuple):
    """The maps of BLOCK seats to be stored.

    `claims` is how many of its seats have a new holder, `change` by how much the number of taken
    seats grew.
    """

    number: int
    taken: bytes
    sold: bytes
    blocked: bytes
    claims: int
    change: int


@dataclass(slots=True)
class SeatMap:
    """The maps of an event's seats. A taken seat is sold, blocked or, if neither, held.

    `holders` maps seats to their bookings, for the bookings that were loaded.
    """

    taken: int = 0
    sold: int = 0
    blocked: int = 0
    is_loaded: bool = False
    holders: dict[int, int] = field(default_factory=dict)
    _claims: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    _sold: set[int] = field(default_factory=set)
    """Blocks in which held seats were sold, or sold ones became held."""

    def load(self, blocks: Sequence[tuple[int, bytes, bytes, bytes]], seat_count: int) -> None:
        """Loads stored blocks, each with its number.

        If any block of `seat_count` seats is missing, no seat can be given.
        """
        stored = {number: maps for number, *maps in blocks}
        numbers = range(max(stored, default=0) + 1)
        maps = zip(*(stored.get(number, _ALL_FREE) for number in numbers), strict=True)
        taken, sold, blocked = (int.from_bytes(b"".join(each), "little") for each in maps)
        self.taken |= taken
        self.sold |= sold
        self.blocked |= blocked
        self.is_loaded = len(blocks) == -(-seat_count // BLOCK)

    def set_holder(self, booking_id: int, seat_ids: Iterable[int], *, is_live: bool) -> None:
        """Records the holder of seats. The maps have it already."""
        for seat_id in seat_ids:
            if is_live:
                self.holders[seat_id] = booking_id
            elif self.holders.get(seat_id) == booking_id:
                del self.holders[seat_id]

    def take(self, booking_id: int, seat_ids: Sequence[int], *, is_sold: bool) -> None:
        """Assigns free seats to a booking."""
        seats = map_of(seat_ids)
        self.taken |= seats
        if is_sold:
            self.sold |= seats
        self._claim(seat_ids, None, booking_id)

    def sell(self, seat_ids: Sequence[int], *, is_sold: bool) -> None:
        """Marks held seats as sold. Without `is_sold` they stay held."""
        if is_sold:
            self.sold |= map_of(seat_ids)
            self._sold.update(map(block_of, seat_ids))

    def free(self, booking_id: int, seat_ids: Sequence[int]) -> None:
        """Frees the seats of a booking."""
        seats = map_of(seat_ids)
        self.taken &= ~seats
        self.sold &= ~seats
        self._claim(seat_ids, booking_id, None)

    def block(self, seat_ids: Sequence[int]) -> None:
        """Takes free seats off sale."""
        seats = map_of(seat_ids)
        self.taken |= seats
        self.blocked |= seats
        self._claim(seat_ids, None, BLOCKED)

    def unblock(self, seat_ids: Sequence[int]) -> None:
        """Frees blocked seats."""
        seats = map_of(seat_ids)
        self.taken &= ~seats
        self.blocked &= ~seats
        self._claim(seat_ids, BLOCKED, None)

    def claims(self) -> list[Claim]:
        """Lists the seats whose holder has changed, in the order of their ids."""
        return [
            Claim(seat_id, before, after)
            for seat_id, (before, after) in sorted(self._claims.items())
            if before != after
        ]

    def blocks(self, claims: Sequence[Claim]) -> Iterator[Block]:
        """Lists the blocks to be stored with the claims."""
        counts = dict.fromkeys(self._sold, (0, 0))
        for seat_id, before, after in claims:
            number = block_of(seat_id)
            count, change = counts.get(number, (0, 0))
            counts[number] = count + 1, change + (after is not None) - (before is not None)
        if not counts:
            return
        size = BLOCK_BYTES * (max(block_of(self.taken.bit_length()), *counts) + 1)
        maps = [each.to_bytes(size, "little") for each in (self.taken, self.sold, self.blocked)]
        for number, (count, change) in sorted(counts.items()):
            part = slice(BLOCK_BYTES * number, BLOCK_BYTES * (number + 1))
            taken, sold, blocked = (each[part] for each in maps)
            yield Block(number, taken, sold, blocked, count, change)

    def _claim(self, seat_ids: Iterable[int], before: int | None, after: int | None) -> None:
        if not self.is_loaded:
            raise Contradiction("the map of the seats is not there")
        for seat_id in seat_ids:
            known = self._claims.get(seat_id)
            if known and known[0] == after:
                # The claim stays, but a hold that ended may have been regained: it is sold now.
                self._sold.add(block_of(seat_id))
            self._claims[seat_id] = (known[0] if known else before, after)


def block_of(seat_id: int) -> int:
    """Returns the number of a seat's block."""
    return (seat_id - 1) // BLOCK
