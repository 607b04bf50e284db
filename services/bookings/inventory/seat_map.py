"""Which seats of an event are taken, and by whom, as it was loaded and as decisions change it.

Maps are integers with the bit `seat id - 1` for each seat, as in seating. They are stored in blocks
of BLOCK seats.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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

    @property
    def is_passed_on(self) -> bool:
        """Whether the seat was taken and is taken by somebody else now."""
        return self.before is not None and self.after is not None


class Block(NamedTuple):
    """The maps of BLOCK seats, as they are to be stored.

    `passed_on` is how many of its seats have changed hands without ever being stored as free.
    """

    number: int
    taken: bytes
    sold: bytes
    blocked: bytes
    passed_on: int


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

    def load(self, blocks: Iterable[tuple[int, bytes, bytes, bytes]]) -> None:
        """Takes the maps of blocks, by their numbers, as they are stored."""
        for number, *maps in blocks:
            shift = BLOCK * number
            taken, sold, blocked = (int.from_bytes(each, "little") << shift for each in maps)
            self.taken |= taken
            self.sold |= sold
            self.blocked |= blocked
        self.is_loaded = True

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
        passed_on: dict[int, int] = dict.fromkeys(self._sold, 0)
        for claim in claims:
            number = block_of(claim.seat_id)
            passed_on[number] = passed_on.get(number, 0) + claim.is_passed_on
        if not passed_on:
            return
        size = BLOCK_BYTES * (max(passed_on) + 1)
        size = max(size, (self.taken.bit_length() + 7) // 8)
        taken, sold, blocked = (
            each.to_bytes(size, "little").ljust(-(-size // BLOCK_BYTES) * BLOCK_BYTES, b"\0")
            for each in (self.taken, self.sold, self.blocked)
        )
        for number, count in sorted(passed_on.items()):
            part = slice(BLOCK_BYTES * number, BLOCK_BYTES * (number + 1))
            yield Block(number, taken[part], sold[part], blocked[part], count)

    def _claim(self, seat_ids: Iterable[int], before: int | None, after: int | None) -> None:
        if not self.is_loaded:
            raise LookupError("the map of the seats was not loaded")
        for seat_id in seat_ids:
            known = self._claims.get(seat_id)
            self._claims[seat_id] = (known[0] if known else before, after)


def block_of(seat_id: int) -> int:
    """Returns the number of the block that a seat is in."""
    return (seat_id - 1) // BLOCK
