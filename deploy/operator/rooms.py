"""The command that makes a room of a file, however many seats it has."""

import asyncio
from pathlib import Path

import click

from deploy.operator import room_files
from deploy.operator.database import events_pool
from deploy.operator.errors import RefusedError
from deploy.operator.recording import recorded
from services.events.idempotency import Idempotency, Replayed
from services.events.theaters.rooms import Change, NewRoom, Room, Rooms
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--theater", type=int, help="Make a new room of this theater.")
@click.option("--room", type=int, help="Give this room other seats.")
@click.option("--name", help="What to call the room; a new one is called like the file.")
def import_room(file: Path, theater: int | None, room: int | None, name: str | None) -> None:
    """Make a room of the seats in FILE, or give a room these seats.

    FILE is JSON like the body of a request, or CSV with a line for each seat. It has 1 to 100,000
    seats. Screenings keep the seats that they were made with.

    Needs the database of events.
    """
    if (theater is None) == (room is None):
        raise click.UsageError("give either --theater or --room")
    described = room_files.read(file, name=name)
    if theater is not None:
        wanted: NewRoom | Change = NewRoom(theater, described.name, described.content)
    else:
        wanted = Change(room or 0, name, lambda _: described.content, versions=None, key=None)
    stored = asyncio.run(_store(wanted))
    click.echo(
        f"Room {stored.id}, {stored.name}, has {stored.capacity} seats: plan {stored.plan_id}."
    )


async def _store(wanted: NewRoom | Change) -> Room:
    """Stores a room, or a change of one. Raises RefusedError."""
    async with events_pool() as pool:
        rooms = Rooms(pool, Idempotency(pool, {}))
        try:
            stored = await _recorded(pool, rooms, wanted)
        except Refusal as refusal:
            raise RefusedError(str(refusal)) from refusal
    if isinstance(stored, Replayed):
        raise TypeError("a request without a key has no replay")
    return stored


async def _recorded(pool: Pool, rooms: Rooms, wanted: NewRoom | Change) -> Room | Replayed:
    if isinstance(wanted, Change):
        async with recorded(pool, f"room/{wanted.room_id}"):
            return await rooms.change(wanted)
    async with recorded(pool, f"theater/{wanted.theater_id}") as recording:
        stored = await rooms.create(wanted, None)
        if isinstance(stored, Room):
            recording.created = f"room/{stored.id}"
        return stored
