"""What follows for an event from its room and its movie: name, plan, number of seats, end. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.events.events.revisions import Event, Fields
from services.events.events.room_slots import Movie, Room
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.validation import MISSING

CLEANING = timedelta(minutes=15)
"""How long a room is not free after a movie, unless the screening sets its end."""

_PLACED = ("movie_id", "room_id", "plan_id", "starts_at", "ends_at", "total_seats")


def target_of(event: Event | None, changes: Fields) -> Mapping[str, Any]:
    """Returns what an event will have of its movie, room, seats and time; None is a new event."""
    return {name: changes.get(name, getattr(event, name, None)) for name in _PLACED}


def with_end_moved(event: Event, fields: Fields) -> Fields:
    """Moves the end along with the start, unless the client sets the end."""
    starts_at = fields.get("starts_at")
    stays = fields.get("room_id", event.room_id) is not None and "ends_at" not in fields
    if not stays or starts_at is None or event.starts_at is None or event.ends_at is None:
        return fields
    return {**fields, "ends_at": _later(starts_at, event.ends_at - event.starts_at)}


def completed(
    event: Event | None, changes: Fields, room: Room | None, movie: Movie | None
) -> Fields:
    """Returns the changes of an event, None of a new one, with all that follows from them.

    `room` is the one that it will have. `movie` is needed for the name of a new screening, and for
    an end that is not set. Raises ValidationFailed.
    """
    target = target_of(event, changes)
    follows: dict[str, Any] = {"plan_id": None, "ends_at": None}
    if room is not None:
        ends_at = target["ends_at"] or _end(target["starts_at"], movie)
        follows = {"plan_id": room.plan_id, "total_seats": room.seat_count, "ends_at": ends_at}
    _check(changes, {**target, **follows})
    if event is None and movie is not None:
        follows["name"] = movie.title
    found = {**changes, **follows}
    return {name: v for name, v in found.items() if v != getattr(event, name, None)}


def _end(starts_at: datetime | None, movie: Movie | None) -> datetime | None:
    """Returns when the room is free after a movie; None if that is not known."""
    if starts_at is None or movie is None:
        return None
    return _later(starts_at, timedelta(minutes=movie.duration_minutes) + CLEANING)


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError as error:
        late = Violation("event.starts_at", "must be a time of the years 1 to 9999, as the end is")
        raise ValidationFailed(violations=[late]) from error


def _check(changes: Fields, target: Fields) -> None:
    """Raises ValidationFailed for what an event with its room, or without one, cannot have."""
    wrong = _wrong_in_room if target["room_id"] is not None else _wrong_without_room
    violations = [Violation(f"event.{name}", text) for name, text in wrong(changes, target).items()]
    if violations:
        raise ValidationFailed(violations=violations)


def _wrong_in_room(changes: Fields, target: Fields) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if changes.get("total_seats", target["total_seats"]) != target["total_seats"]:
        wrong["total_seats"] = f"must be the number of seats of the room, {target['total_seats']}"
    if target["starts_at"] is None:
        wrong["starts_at"] = MISSING
    elif target["ends_at"] is None:
        wrong["ends_at"] = MISSING
    elif target["ends_at"] <= target["starts_at"]:
        wrong["ends_at"] = "must be after starts_at"
    return wrong


def _wrong_without_room(changes: Fields, target: Fields) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if target["movie_id"] is not None:
        wrong["room_id"] = "must not be null"
    if changes.get("ends_at") is not None:
        wrong["ends_at"] = "cannot be set without a room"
    return wrong
