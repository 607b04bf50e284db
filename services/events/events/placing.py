"""Places events in rooms: locks the rooms and the movie, and completes what a client sets."""

from services.events.errors import MovieNotFound
from services.events.events import room_rules, room_slots
from services.events.events.revisions import Event, Fields
from services.events.events.room_slots import Movie, Room
from services.kit.database.postgres import Connection

_MOVES = frozenset({"room_id", "starts_at", "ends_at"})


async def placed(connection: Connection, event: Event | None, changes: Fields) -> Fields:
    """Returns the changes of an event, None of a new one, with what follows from room and movie.

    Locks the rooms that the event has and gets, if it moves. Raises ValidationFailed, MovieNotFound
    and RoomNotFound.
    """
    movie = await _movie(connection, event, changes)
    room = await _room(connection, event, changes)
    return room_rules.completed(event, changes, room, movie)


def is_moved(changes: Fields) -> bool:
    """Returns whether the changes move an event to another room or another time."""
    return not _MOVES.isdisjoint(changes)


async def _movie(connection: Connection, event: Event | None, changes: Fields) -> Movie | None:
    """Locks the movie if something follows from it."""
    target = room_rules.target_of(event, changes)
    if target["movie_id"] is None or (event is not None and target["ends_at"] is not None):
        return None
    movie = await room_slots.lock_movie(connection, target["movie_id"])
    if event is None and movie.is_deleted:
        raise MovieNotFound
    return movie


async def _room(connection: Connection, event: Event | None, changes: Fields) -> Room | None:
    """Returns the room that the event will have, with the plan that it will have there."""
    before = None if event is None else _room_of(event)
    if not is_moved(changes):
        return before
    wanted = changes.get("room_id", before and before.id)
    ids = {wanted, before and before.id} - {None}
    rooms = await room_slots.lock_rooms(connection, ids) if ids else {}
    return before if before and before.id == wanted else rooms.get(wanted)


def _room_of(event: Event) -> Room | None:
    if event.room_id is None or event.plan_id is None:
        return None
    return Room(event.room_id, event.plan_id, event.total_seats)
