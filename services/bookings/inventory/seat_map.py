"""Which seats of an event are taken, and by whom, as it was loaded and as decisions change it.

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
BLOCKED = 0
"""Who has a blocked seat, where others have the number of a booking."""


class Claim(NamedTuple):
    """A seat and who had it before: a booking, BLOCKED, or None; and who has it now."""

    seat_id: int
    before: int | None
    after: int | None


class Block(NamedTuple):
    """The maps of BLOCK seats, as they are to be stored.

    `claims` is how many of its seats have changed hands, `change` by how many more are taken.
    """

    number: int
    taken: bytes
    sold: bytes
    blocked: bytes
    claims: int
    change: int


@dataclass(slots=True)
class SeatMap:
    """The maps of an event's seats. Taken ones are sold, blocked, or else held.

    `holders` has the bookings that have seats, as far as they were loaded.
    """

    taken: int = 0
    sold: int = 0
    blocked: int = 0
    is_loaded: bool = False
    holders: dict[int, int] = field(default_factory=dict)
    _claims: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    _sold: set[int] = field(default_factory=set)
    """Blocks in which seats are sold now that were held, or the other way round."""

    def load(self, blocks: Sequence[tuple[int, bytes, bytes, bytes]], seat_count: int) -> None:
        """Takes the maps of blocks, by their numbers, as they are stored.

        If they are fewer than an event with so many seats has, no seat of it can be given.
        """
        for number, *maps in blocks:
            shift = BLOCK * number
            taken, sold, blocked = (int.from_bytes(each, "little") << shift for each in maps)
            self.taken |= taken
            self.sold |= sold
            self.blocked |= blocked
        self.is_loaded = len(blocks) == -(-seat_count // BLOCK)

    def know(self, booking_id: int, seat_ids: Iterable[int], *, is_live: bool) -> None:
        """Notes who has seats. It changes no map."""
        for seat_id in seat_ids:
            if is_live:
                self.holders[seat_id] = booking_id
            elif self.holders.get(seat_id) == booking_id:
                del self.holders[seat_id]

    def take(self, booking_id: int, seat_ids: Sequence[int], *, is_sold: bool) -> None:
        """Gives free seats to a booking."""
        seats = map_of(seat_ids)
        self.taken |= seats
        if is_sold:
            self.sold |= seats
        self._claim(seat_ids, None, booking_id)

    def sell(self, seat_ids: Sequence[int], *, is_sold: bool) -> None:
        """Notes that held seats are sold; those that are held on stay as they are."""
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
        """Keeps free seats from everybody."""
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
        """Lists the seats that are somebody else's than they were, in the order of their ids."""
        return [
            Claim(seat_id, before, after)
            for seat_id, (before, after) in sorted(self._claims.items())
            if before != after
        ]

    def blocks(self, claims: Sequence[Claim]) -> Iterator[Block]:
        """Lists the blocks that have to be stored together with some claims."""
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
            self._claims[seat_id] = (known[0] if known else before, after)


def block_of(seat_id: int) -> int:
    """Returns the number of the block that a seat is in."""
    return (seat_id - 1) // BLOCK
