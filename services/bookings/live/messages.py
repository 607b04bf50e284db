"""Messages of live updates."""

from collections.abc import Iterator, Sequence

from boxoffice.bookings.v1 import live_pb2
from boxoffice.bookings.v1.live_pb2 import SeatChangeKind
from services.bookings.live.live import Snapshot, Update
from services.bookings.tail import Change
from services.kit.rpc.timestamps import timestamp

MOST_SEATS = 100_000
"""Ids of seats in one response, so that no message is too large."""

_HELD = live_pb2.SEAT_CHANGE_KIND_HELD
_SOLD = live_pb2.SEAT_CHANGE_KIND_SOLD
_FREED = live_pb2.SEAT_CHANGE_KIND_FREED
_NONE = live_pb2.SEAT_CHANGE_KIND_UNSPECIFIED
_KINDS = {
    "HELD": _HELD,
    "OFFERED": _HELD,
    "CONFIRMED": _SOLD,
    "ACCEPTED": _SOLD,
    "BLOCKED": live_pb2.SEAT_CHANGE_KIND_BLOCKED,
}


def responses(update: Update) -> Iterator[live_pb2.WatchEventResponse]:
    """Writes an update as one response, or as several if its changes have very many seats."""
    if update.snapshot is not None:
        snapshot = _snapshot(update.snapshot)
        snapshot.past.extend(map(_change, _last(update.changes)))
        yield live_pb2.WatchEventResponse(snapshot=snapshot, revision=update.rev)
        return
    *parts, last = _parts(update.changes)
    for part in parts:
        yield live_pb2.WatchEventResponse(changes=map(_change, part), revision=part[-1].rev)
    yield live_pb2.WatchEventResponse(changes=map(_change, last), revision=update.rev)


def _snapshot(snapshot: Snapshot) -> live_pb2.SeatSnapshot:
    size = (snapshot.mapped_seats + 7) // 8
    held, sold, blocked = (
        each.to_bytes(size, "little") if size else b""
        for each in (snapshot.held, snapshot.sold, snapshot.blocked)
    )
    return live_pb2.SeatSnapshot(
        revision=snapshot.rev,
        total_seats=snapshot.total_seats,
        left=snapshot.left,
        held=held,
        sold=sold,
        blocked=blocked,
        status=snapshot.status,
        version=snapshot.version,
    )


def _change(change: Change) -> live_pb2.SeatChange:
    kind = _kind(change)
    return live_pb2.SeatChange(
        revision=change.rev,
        kind=kind,
        seat_ids=() if kind == _NONE else change.seat_ids,
        seats=change.seats,
        at=timestamp(change.at),
    )


def _kind(change: Change) -> SeatChangeKind.ValueType:
    """Returns what happened to the seats. Kinds not in _KINDS sell seats or free them."""
    if change.kind in _KINDS:
        return _KINDS[change.kind]
    if change.seats == 0:
        return _NONE
    return _SOLD if change.seats > 0 else _FREED


def _parts(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    """Cuts changes into one or more parts of at most MOST_SEATS seats, or of one change."""
    part: list[Change] = []
    seats = 0
    for change in changes:
        seats += len(change.seat_ids)
        if part and seats > MOST_SEATS:
            yield part
            part, seats = [], len(change.seat_ids)
        part.append(change)
    yield part


def _last(changes: Sequence[Change]) -> Sequence[Change]:
    """Returns the last changes that have at most MOST_SEATS seats together."""
    seats = 0
    for index in range(len(changes) - 1, -1, -1):
        seats += len(changes[index].seat_ids)
        if seats > MOST_SEATS:
            return changes[index + 1 :]
    return changes
