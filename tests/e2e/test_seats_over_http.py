from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.cinema import PRICES, Cinema, open_cinema
from tests.e2e.client import new_key, new_user, refusal
from tests.e2e.system import System

RESERVATIONS = "/api/seat-reservations"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def cinema(system: System) -> Iterator[Cinema]:
    """Returns a cinema of that system."""
    with open_cinema(system) as opened:
        yield opened


def hold(
    client: httpx.Client, screening: int, *seat_ids: int, key: str = "", **fields: Any
) -> httpx.Response:
    """Holds seats for a new user."""
    named = {"seat_ids": seat_ids} if seat_ids else {}
    body = {"screening_id": screening, "user_id": new_user()} | named | fields
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(RESERVATIONS, json=body, headers=headers)


def seats(client: httpx.Client, screening: int, **query: Any) -> dict[str, Any]:
    """Gets the map of a screening."""
    response = client.get(f"/api/screenings/{screening}/seats", params=query)
    assert response.status_code == 200
    return dict(response.json())


def statuses(client: httpx.Client, screening: int) -> list[str]:
    """Lists the statuses of all seats."""
    return [seat["status"] for seat in seats(client, screening)["seats"]]


def test_seats_are_held_read_and_released(client: httpx.Client, cinema: Cinema) -> None:
    """A hold could show other fields, or its seats not come free again."""
    screening = cinema.screening(**PRICES)
    held = hold(client, screening, 4, 5, user_id="ada")
    body = held.json()
    assert held.status_code == 201
    assert body == {
        "reservation_id": body["reservation_id"],
        "booking_id": body["booking_id"],
        "screening_id": screening,
        "user_id": "ada",
        "seat_ids": [4, 5],
        "unavailable_seat_ids": [],
        "price": {"amount_minor": 2_400, "currency": "EUR"},
        "status": "HELD",
        "expires_at": body["expires_at"],
    }
    path = f"{RESERVATIONS}/{body['reservation_id']}"
    assert held.headers["location"] == path
    assert client.get(path).json() == body
    assert statuses(client, screening)[3:5] == ["HELD", "HELD"]
    assert client.delete(path).json() == {"released": 2}
    assert client.delete(path).json() == {"released": 0}
    assert client.get(path).json()["status"] == "CANCELLED"
    assert set(statuses(client, screening)) == {"AVAILABLE"}


def test_a_taken_seat_is_refused_with_better_ones(client: httpx.Client, cinema: Cinema) -> None:
    """A refused user could not see why, when to try again, or what to take instead."""
    screening = cinema.screening(**PRICES)
    taken = hold(client, screening, 2).json()
    refused = hold(client, screening, 2, 3)
    details = refused.json()["details"]
    assert refusal(refused) == (409, "seats_unavailable")
    assert details["unavailable_seat_ids"] == [2]
    assert details["reasons"] == {"2": "held"}
    assert details["free_again_at"] == taken["expires_at"]
    assert details["left"] == 7
    pairs = details["alternatives"]["pairs"]
    assert details["alternatives"]["seats"] == pairs[0]
    assert {seat["status"] for pair in pairs for seat in pair} == {"AVAILABLE"}
    whole = seats(client, screening)["seats"]
    assert [whole[seat["seat_id"] - 1] for seat in pairs[0]] == pairs[0]
    without = hold(client, screening, 2, 3, suggest_alternatives=False).json()["details"]
    assert without["alternatives"] == {"seats": [], "pairs": []}
    assert int(refused.headers["x-inventory-revision"]) >= 2


def test_the_free_seats_are_held_if_not_all_are_required(
    client: httpx.Client, cinema: Cinema
) -> None:
    """A party that takes what is left could get nothing."""
    screening = cinema.screening()
    assert hold(client, screening, 2).status_code == 201
    body = hold(client, screening, 1, 2, 3, require_all=False).json()
    assert (body["seat_ids"], body["unavailable_seat_ids"]) == ([1, 3], [2])


def test_the_best_seats_are_together(client: httpx.Client, cinema: Cinema) -> None:
    """The best seats could be apart, or of another type than was asked for."""
    screening = cinema.screening(**PRICES)
    body = hold(client, screening, best={"count": 2, "type": "VIP"}).json()
    first, second = body["seat_ids"]
    assert (first >= 5, second) == (True, first + 1)
    assert body["price"]["amount_minor"] == 3_000


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ""),
        ({"seat_ids": [1], "best": {"count": 1}}, ""),
        ({"seat_ids": [1, 1]}, "seat_ids"),
        ({"seat_ids": list(range(1, 12))}, "seat_ids"),
        ({"seat_ids": [0]}, "seat_ids[0]"),
        ({"best": {"count": 0}}, "best.count"),
        ({"best": {"count": 1, "accessible": 2}}, "best.accessible"),
        ({"best": {"count": 1, "type": "COUCH"}}, "best.type"),
    ],
)
def test_wrong_choices_are_named(
    client: httpx.Client, cinema: Cinema, fields: dict[str, Any], wrong: str
) -> None:
    """A choice that means nothing could be taken for another one."""
    response = hold(client, 1, **fields)
    assert refusal(response) == (422, "validation_error")
    assert wrong in {detail["path"] for detail in response.json()["details"]}


def test_unknown_seats_are_not_found(client: httpx.Client, cinema: Cinema) -> None:
    """A seat of another room could be held, or an event without seats be shown as a screening."""
    screening = cinema.screening()
    refused = hold(client, screening, 8, 9, 10)
    assert refusal(refused) == (404, "seat_not_found")
    assert refused.json()["details"] == {"seat_ids": [9, 10]}
    assert refusal(hold(client, 2**40, 1)) == (404, "screening_not_found")
    for path in (f"{RESERVATIONS}/available-seats/{2**40}", f"/api/screenings/{2**40}/seats"):
        assert refusal(client.get(path)) == (404, "screening_not_found")
    path = f"{RESERVATIONS}/{UNKNOWN}"
    assert refusal(client.get(path)) == (404, "reservation_not_found")
    assert refusal(client.delete(path)) == (404, "reservation_not_found")


def test_a_repeated_key_gets_the_same_bytes(client: httpx.Client, cinema: Cinema) -> None:
    """A repeated request could hold twice, or be refused with other alternatives than before."""
    screening = cinema.screening(**PRICES)
    key, refused_key = new_key(), new_key()
    first = hold(client, screening, 1, 2, key=key, user_id="ada")
    refused = hold(client, screening, 2, 3, key=refused_key, user_id="bob")
    assert hold(client, screening, 5, 6, 7, 8, user_id="eve").status_code == 201
    again = hold(client, screening, 1, 2, key=key, user_id="ada")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    again = hold(client, screening, 2, 3, key=refused_key, user_id="bob")
    assert (again.content, again.headers["idempotent-replayed"]) == (refused.content, "true")
    assert refusal(hold(client, screening, 1, key=key, user_id="ada"))[0] == 422


def test_all_holds_of_a_user_are_released(client: httpx.Client, cinema: Cinema) -> None:
    """Leaving a screening could leave seats behind, or free those of somebody else."""
    screening, user = cinema.screening(), new_user()
    for seat_id in (1, 3):
        assert hold(client, screening, seat_id, user_id=user).status_code == 201
    assert hold(client, screening, 5).status_code == 201
    path = f"{RESERVATIONS}/user/{user}/screening/{screening}"
    assert client.delete(path).json() == {"released": 2}
    assert client.delete(path).json() == {"released": 0}
    assert statuses(client, screening)[4] == "HELD"


def test_free_seats_are_listed_and_suggested(client: httpx.Client, cinema: Cinema) -> None:
    """A seat that somebody has could be listed as free or suggested."""
    screening = cinema.screening(**PRICES)
    assert hold(client, screening, 2, 3).status_code == 201
    listed = client.get(f"{RESERVATIONS}/available-seats/{screening}").json()
    assert [seat["seat_id"] for seat in listed] == [1, 4, 5, 6, 7, 8]
    body = {"screening_id": screening, "seat_ids": [2, 3], "count": 2}
    suggested = client.post(f"{RESERVATIONS}/suggest-alternatives", json=body)
    pairs = suggested.json()["pairs"]
    assert suggested.json()["seats"] == pairs[0]
    assert all(seat in listed for pair in pairs for seat in pair)
    single = client.post(
        f"{RESERVATIONS}/suggest-alternatives", json=body | {"prefer_pairs": False}
    ).json()
    assert (len(single["seats"]), single["pairs"]) == (2, [])


def test_a_map_has_a_tag_and_a_revision(client: httpx.Client, cinema: Cinema) -> None:
    """A client that has the newest map could be sent it again, or one with an old map not."""
    screening = cinema.screening()
    path = f"/api/screenings/{screening}/seats"
    first = client.get(path)
    tag = {"If-None-Match": first.headers["etag"]}
    unchanged = client.get(path, headers=tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    held = hold(client, screening, 1)
    changed = client.get(path, headers=tag)
    assert changed.status_code == 200
    assert changed.json()["revision"] == int(held.headers["x-inventory-revision"])
    assert changed.headers["x-inventory-revision"] == held.headers["x-inventory-revision"]
    cinema.client.patch(
        f"/api/screenings/{screening}", json=PRICES, headers=cinema.headers
    ).raise_for_status()
    tag = {"If-None-Match": changed.headers["etag"]}
    assert client.get(path, headers=tag).json()["seats"][0]["price"]["amount_minor"] == 900


def test_a_sparse_map_lists_what_is_taken(client: httpx.Client, cinema: Cinema) -> None:
    """A client that has the plan could miss a seat that is taken."""
    screening = cinema.screening(areas=[{"section": "Floor", "places": 50}])
    assert hold(client, screening, 1, 2).status_code == 201
    assert hold(client, screening, best={"count": 3, "section": "Floor"}).status_code == 201
    sparse = seats(client, screening, sparse="true")
    assert (sparse["held"], sparse["sold"], sparse["blocked"]) == ([1, 2], [], [])
    assert sparse["areas"] == [{"section": "Floor", "places": 50, "left": 47}]
    assert "seats" not in sparse


def test_a_map_is_compressed_for_who_accepts_it(client: httpx.Client, cinema: Cinema) -> None:
    """A client could get bytes that it cannot read."""
    screening = cinema.screening()
    path = f"/api/screenings/{screening}/seats"
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.json()) == ("gzip", plain.json())
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_blocked_seats_are_had_by_nobody(client: httpx.Client, cinema: Cinema) -> None:
    """A seat that an organizer keeps back could be sold, or a sold one be taken from its buyer."""
    screening = cinema.screening()
    path = f"/api/screenings/{screening}/blocked-seats"
    body = {"seat_ids": [3, 1]}
    assert client.put(path, json=body).status_code == 401
    blocked = client.put(path, json=body, headers=cinema.headers)
    assert (blocked.status_code, blocked.json()) == (200, {"seat_ids": [1, 3]})
    refused = hold(client, screening, 1)
    assert refused.json()["details"]["reasons"] == {"1": "blocked"}
    assert hold(client, screening, 2).status_code == 201
    refused = client.put(path, json={"seat_ids": [2, 3]}, headers=cinema.headers)
    assert refusal(refused) == (409, "seats_unavailable")
    assert client.put(path, json={"seat_ids": []}, headers=cinema.headers).status_code == 200
    assert hold(client, screening, 1, 3).status_code == 201


def test_all_seats_of_a_large_room_are_blocked_and_shown(
    client: httpx.Client, cinema: Cinema
) -> None:
    """A room that is larger than a body or a message may be could not be served."""
    rows = [{"row": f"{row}", "seats": 200} for row in range(75)]
    screening = cinema.screening(rows)
    path = f"/api/screenings/{screening}/blocked-seats"
    body = {"seat_ids": list(range(1, 15_001))}
    blocked = client.put(path, json=body, headers=cinema.headers)
    assert (blocked.status_code, blocked.json()) == (200, body)
    plain = {"Accept-Encoding": "identity"}
    shown = client.get(f"/api/screenings/{screening}/seats", headers=plain)
    assert {seat["status"] for seat in shown.json()["seats"]} == {"BLOCKED"}
    assert seats(client, screening, sparse="true")["blocked"] == body["seat_ids"]
