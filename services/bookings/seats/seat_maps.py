"""Seat maps for clients: printed and compressed once for each version of a screening.

Maps of more than LARGE_SEATS seats are printed at most every FRESH_SECONDS; in between clients get
the former map with its own revision.
"""

import asyncio
import gzip
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from services.bookings.catalogue.plans import Plans
from services.bookings.seating.plan import Plan
from services.bookings.seats import maps
from services.bookings.seats.reading import Screenings
from services.bookings.seats.screening import Occupancy, Screening, Version
from services.kit.concurrency.single_flight import SingleFlight

LARGE_SEATS = 2_000
FRESH_SECONDS = 0.25
KEPT_BYTES = 64 * 1024 * 1024
GZIP_LEVEL = 1
_GZIP_SUFFIX = "-gzip"
"""The end of the entity tag of a response in gzip."""


class Variant(Enum):
    """Which seats of a screening a map shows."""

    WHOLE = "whole"
    SPARSE = "sparse"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class SeatMap:
    """A map to send. `body` is None if the client has this version."""

    version: Version
    is_gzip: bool
    body: bytes | None


class _Key(NamedTuple):
    event_id: int
    variant: Variant
    is_gzip: bool


class _Kept(NamedTuple):
    seat_map: SeatMap
    printed_at: float
    is_large: bool


class SeatMaps:
    """Prints seat maps, and caches the most recently used ones."""

    def __init__(
        self,
        screenings: Screenings,
        plans: Plans,
        *,
        clock: Callable[[], float] = time.monotonic,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._screenings = screenings
        self._plans = plans
        self._clock = clock
        self._kept = _Shelf(kept_bytes)
        self._print_once = SingleFlight(self._print)

    async def get(
        self, screening: Screening, variant: Variant, *, accepts_gzip: bool, if_none_match: str
    ) -> SeatMap:
        """Returns a map of a screening, at least as new as the version found first.

        Raises ScreeningNotFound, and the errors of loading its plan.
        """
        key = _Key(screening.event_id, variant, accepts_gzip)
        kept = self._kept.get(key)
        is_current = kept is not None and self._is_current(kept, screening.version)
        version = kept.seat_map.version if kept and is_current else screening.version
        if _is_known(version, if_none_match):
            return SeatMap(version, accepts_gzip, None)
        if kept and is_current:
            return kept.seat_map
        return await self._newly_printed(key, screening.version)

    def _is_current(self, kept: _Kept, version: Version) -> bool:
        is_fresh = kept.is_large and self._clock() < kept.printed_at + FRESH_SECONDS
        return kept.seat_map.version == version or is_fresh

    async def _newly_printed(self, key: _Key, version: Version) -> SeatMap:
        joined = key in self._print_once
        printed = await self._print_once(key)
        if joined and printed.version != version:
            # The shared print may have read an older version than this caller has found.
            return await self._print_once(key)
        return printed

    async def _print(self, key: _Key) -> SeatMap:
        printed_at = self._clock()
        occupancy = await self._screenings.occupancy(key.event_id)
        plan = await self._plans.load(occupancy.screening.plan_id)
        is_large = plan.seat_count > LARGE_SEATS
        if is_large:
            body = await asyncio.to_thread(_printed, plan, occupancy, key)
        else:
            body = _printed(plan, occupancy, key)
        seat_map = SeatMap(occupancy.screening.version, key.is_gzip, body)
        self._kept.put(key, _Kept(seat_map, printed_at, is_large))
        return seat_map


class _Shelf:
    """A cache of maps, the most recently used ones, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._maps: OrderedDict[_Key, _Kept] = OrderedDict()

    def get(self, key: _Key) -> _Kept | None:
        kept = self._maps.get(key)
        if kept is not None:
            self._maps.move_to_end(key)
        return kept

    def put(self, key: _Key, kept: _Kept) -> None:
        self._drop(key)
        self._maps[key] = kept
        self._bytes += _size(kept)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._maps)))

    def _drop(self, key: _Key) -> None:
        if dropped := self._maps.pop(key, None):
            self._bytes -= _size(dropped)


_PRINT: dict[Variant, Callable[[Plan, Occupancy], bytes]] = {
    Variant.WHOLE: maps.whole_map,
    Variant.SPARSE: maps.sparse_map,
    Variant.FREE: maps.free_seats,
}
_TAG = re.compile(r'(?:^|,)\s*(?:W/)?"([^"]*)"(?=\s*(?:,|$))')


def _printed(plan: Plan, occupancy: Occupancy, key: _Key) -> bytes:
    body = _PRINT[key.variant](plan, occupancy)
    return gzip.compress(body, GZIP_LEVEL, mtime=0) if key.is_gzip else body


def _is_known(version: Version, if_none_match: str) -> bool:
    """Returns whether `If-None-Match` names a version, in either encoding."""
    if if_none_match.strip() == "*":
        return True
    return version.tag in {tag.removesuffix(_GZIP_SUFFIX) for tag in _TAG.findall(if_none_match)}


def _size(kept: _Kept) -> int:
    return len(kept.seat_map.body or b"")
