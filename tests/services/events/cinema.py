"""A cinema to show movies in: rows of other rooms of the service, stored as a test needs them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import psycopg

from services.bookings.seating.plan import Plan
from tests.conftest import Database
from tests.services.bookings.rooms import serialized

EVENING = datetime(2030, 5, 1, 20, tzinfo=UTC)
LATE = datetime(2030, 5, 1, 23, tzinfo=UTC)
MINUTES = 100
"""Length of the movie."""
PLAN = """
    INSERT INTO seat_plans (id, room_id, seat_count, plan, digest)
    VALUES (%s, %s, %s, '', gen_random_uuid()::text::bytea)
"""
Connection: TypeAlias = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Cinema:
    """A movie, and two rooms of one theater: one of 100 seats, one of 40."""

    movie_id: int
    theater_id: int
    large: int
    small: int


def add_cinema(database: Database, time_zone: str = "Europe/Berlin") -> Cinema:
    """Stores a movie and a theater with two rooms."""
    movie = """
        INSERT INTO movies (title, duration_minutes, folded_title, folded_genres, text_search)
        VALUES ('Storm', %s, '', '{}', '') RETURNING id
    """
    theater = "INSERT INTO theaters (name, time_zone) VALUES ('Park', %s) RETURNING id"
    with psycopg.connect(database.owner_dsn, options="-c search_path=events") as connection:
        movie_id = _id(connection, movie, MINUTES)
        theater_id = _id(connection, theater, time_zone)
        large, small = (_room(connection, theater_id, seats) for seats in (100, 40))
        return Cinema(movie_id, theater_id, large, small)


def renovate(database: Database, room_id: int, seat_count: int) -> None:
    """Replaces the seats of a room: later events get another plan."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=events") as connection:
        plan_id = _id(connection, "SELECT nextval(pg_get_serial_sequence('seat_plans', 'id'))")
        connection.execute(PLAN.encode(), [plan_id, room_id, seat_count])
        connection.execute("UPDATE rooms SET plan_id = %s WHERE id = %s", [plan_id, room_id])


def draw(database: Database, room_id: int, plan: Plan) -> None:
    """Stores a plan with all its seats as that of a room."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=events") as connection:
        plan.id = _id(connection, "SELECT plan_id FROM rooms WHERE id = %s", room_id)
        values = serialized(plan), plan.seat_count, plan.id
        connection.execute("UPDATE seat_plans SET plan = %s, seat_count = %s WHERE id = %s", values)


def slots(database: Database, room_id: int) -> list[tuple[int, datetime, datetime]]:
    """Returns which events have a room, and when, in the order of time."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=events") as connection:
        read = "SELECT event_id, starts_at, ends_at FROM room_slots WHERE room_id = %s ORDER BY 2"
        return [
            (event_id, starts_at.astimezone(UTC), ends_at.astimezone(UTC))
            for event_id, starts_at, ends_at in connection.execute(read, [room_id]).fetchall()
        ]


def _room(connection: Connection, theater_id: int, seat_count: int) -> int:
    room_id = _id(connection, "SELECT nextval(pg_get_serial_sequence('rooms', 'id'))")
    plan_id = _id(connection, "SELECT nextval(pg_get_serial_sequence('seat_plans', 'id'))")
    # Each refers to the other, so one statement stores both.
    room = "INSERT INTO rooms (id, theater_id, name, plan_id) VALUES (%s, %s, 'Hall', %s)"
    values = room_id, theater_id, plan_id, plan_id, room_id, seat_count
    connection.execute(f"WITH room AS ({room}) {PLAN}".encode(), values)
    return room_id


def _id(connection: Connection, statement: str, *values: object) -> int:
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return int(row[0])
