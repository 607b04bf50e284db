"""The rooms of the sample data: two of a cinema, and a concert hall."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.local.samples.client import Client

LARGEST_PAGE = 200

Body = Mapping[str, Any]


def _hall_2() -> Iterator[Body]:
    """Yields twelve rows of twenty seats with an aisle in the middle."""
    yield {
        "row": "A",
        "seats": 20,
        "aisles_after": [10],
        "accessible": [1, 20],
        "companion": [2, 19],
    }
    for row in "BCDEFGHIJKL":
        kind = "VIP" if row == "H" else "REGULAR"
        yield {"row": row, "seats": 20, "aisles_after": [10], "type": kind}


def _great_hall() -> Iterator[Body]:
    """Yields 1,000 seats in the stalls, 600 on the balcony and 400 in boxes beside the stalls."""
    for index in range(20):
        stalls = {"section": "Stalls", "row": f"{index + 1}", "seats": 50, "y": 120 * index}
        yield {**stalls, "aisles_after": [15, 35], "type": "VIP" if index < 5 else "REGULAR"}
    for index in range(10):
        balcony = {"section": "Balcony", "row": f"{index + 1}", "seats": 60, "x": -400}
        yield {**balcony, "aisles_after": [30], "y": 2_900 + 120 * index}
    for section, x in (("Left boxes", -1_500), ("Right boxes", 5_700)):
        for index in range(20):
            row = {"section": section, "row": f"{index + 1}", "seats": 10, "x": x}
            yield {**row, "y": 120 * index, "type": "DELUXE"}


CINEMA: Body = {
    "name": "Kino Aurora",
    "location": "Lindenstraße 12, 10969 Berlin",
    "time_zone": "Europe/Berlin",
}
CONCERT_HALL: Body = {
    "name": "Musikhalle",
    "location": "Am Hafen 3, 20457 Hamburg",
    "time_zone": "Europe/Berlin",
}
HALL_1: Body = {"name": "Hall 1", "rows": [{"row": row, "seats": 10} for row in "ABCDE"]}
HALL_2: Body = {"name": "Hall 2", "rows": list(_hall_2())}
GREAT_HALL: Body = {
    "name": "Great Hall",
    "focal_point": {"x": 2_550, "y": 900},
    "rows": list(_great_hall()),
}
ROOMS: Sequence[tuple[Body, Sequence[Body]]] = (
    (CINEMA, (HALL_1, HALL_2)),
    (CONCERT_HALL, (GREAT_HALL,)),
)


def load_rooms(client: Client) -> dict[str, int]:
    """Creates the theaters and rooms that are missing; returns the numbers of all rooms by name."""
    theaters = {one["name"]: one for one in client.list("/api/theaters", page_size=LARGEST_PAGE)}
    numbers = {}
    for theater, rooms in ROOMS:
        known = theaters.get(theater["name"]) or client.create("/api/theaters", theater)
        found = {room["name"]: room["id"] for room in known["rooms"]}
        for room in rooms:
            name, path = room["name"], f"/api/theaters/{known['id']}/rooms"
            numbers[name] = found.get(name) or client.create(path, room)["id"]
    return numbers
