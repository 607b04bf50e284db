import re
from typing import Any

import httpx
import pytest

from tests.e2e.client import create_event, named, new_key, new_user, refusal, reserve

FIELDS = [
    *("id", "name", "title", "description", "total_seats", "available_seats", "status"),
    *("starts_at", "venue", "time_zone", "sales_open_at", "sales_close_at", "price", "key"),
    *("organizer_id", "one_booking_per_user", "version", "created_at", "updated_at"),
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ALL: dict[str, Any] = {
    "name": "Concert",
    "description": "Strings \u266b",
    "total_seats": 40,
    "status": "PUBLISHED",
    "starts_at": "2099-10-13T12:34:56.789Z",
    "venue": "The Old Mill",
    "time_zone": "Europe/Amsterdam",
    "sales_open_at": "2020-01-01T00:00:00.000Z",
    "sales_close_at": "2099-01-01T00:00:00.000Z",
    "price": {"amount_minor": 1250, "currency": "EUR"},
    "one_booking_per_user": True,
}
CLEARED = [name for name in ALL if name not in {"name", "total_seats", "status"}]


def path(event: dict[str, Any]) -> str:
    """Returns where an event is."""
    return f"/events/{event['id']}"


def tag(event: dict[str, Any]) -> str:
    """Returns the entity tag of an event."""
    return f'"{event["version"]}"'


def test_an_event_requires_only_a_name_and_seats(client: httpx.Client) -> None:
    """An optional field could become required, or be left out of the response."""
    response = client.post("/events", json={"name": "Concert", "total_seats": 3})
    event = response.json()
    assert response.status_code == 201
    assert list(event) == FIELDS
    given = {"name": "Concert", "title": "Concert", "total_seats": 3, "available_seats": 3}
    made = {name: event[name] for name in ("id", "created_at", "updated_at")}
    assert event == dict.fromkeys(FIELDS) | given | made | {"status": "PUBLISHED", "version": 1}
    assert type(event["id"]) is int
    assert MOMENT.fullmatch(event["created_at"])
    assert response.headers["location"] == path(event)
    assert response.headers["etag"] == '"1"'
    assert client.get(path(event)).json() == event


def test_all_fields_of_an_event_are_kept(client: httpx.Client) -> None:
    """A field could be lost or changed on its way to the database and back."""
    key = new_key()
    event = create_event(client, **{**ALL, "key": key})
    assert {name: event[name] for name in ALL} == ALL
    assert event["key"] == key
    assert client.get(path(event)).json() == event


def test_a_time_is_answered_in_utc(client: httpx.Client) -> None:
    """A time could keep its offset, or lose its milliseconds."""
    event = create_event(client, starts_at="2099-10-13T14:34:56.1239+02:00")
    assert event["starts_at"] == "2099-10-13T12:34:56.123Z"


def test_aliases_of_fields_are_accepted(client: httpx.Client) -> None:
    """Clients of other systems, with `title` or `totalSeats`, could be refused."""
    body = {"title": "Gig", "totalSeats": 7, "eventDate": "2099-01-01T00:00:00Z"}
    event = client.post("/events", json=body | {"salesOpenAt": "2098-01-01T00:00:00Z"}).json()
    assert (event["name"], event["title"], event["total_seats"]) == ("Gig", "Gig", 7)
    assert event["starts_at"] == "2099-01-01T00:00:00.000Z"
    assert event["sales_open_at"] == "2098-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": None}, {"name"}),
        ({"name": ""}, {"name"}),
        ({"name": "   "}, {"name"}),
        ({"name": "n" * 201}, {"name"}),
        ({"name": "a\r\nb"}, {"name"}),
        ({"name": 5}, {"name"}),
        ({"title": "Gig"}, {"title"}),
        ({"total_seats": None}, {"total_seats"}),
        ({"total_seats": -1}, {"total_seats"}),
        ({"total_seats": 1_000_001}, {"total_seats"}),
        ({"total_seats": 1_000_000_000}, {"total_seats"}),
        ({"total_seats": 2**31}, {"total_seats"}),
        ({"total_seats": "3"}, {"total_seats"}),
        ({"total_seats": 3.0}, {"total_seats"}),
        ({"total_seats": True}, {"total_seats"}),
        ({"status": "published"}, {"status"}),
        ({"status": "UNSPECIFIED"}, {"status"}),
        ({"status": 2}, {"status"}),
        ({"starts_at": "2099-01-01T00:00:00"}, {"starts_at"}),
        ({"starts_at": "tomorrow"}, {"starts_at"}),
        ({"starts_at": 4070908800}, {"starts_at"}),
        ({"starts_at": "2099-02-30T00:00:00Z"}, {"starts_at"}),
        ({"description": "d" * 5001}, {"description"}),
        ({"description": "a\u0000b"}, {"description"}),
        ({"venue": "v" * 201}, {"venue"}),
        ({"time_zone": "Mars/Olympus"}, {"time_zone"}),
        ({"key": "no spaces"}, {"key"}),
        ({"key": ""}, {"key"}),
        ({"key": "k" * 65}, {"key"}),
        ({"price": 12.5}, {"price"}),
        ({"price": {"amount_minor": -1, "currency": "EUR"}}, {"price.amount_minor"}),
        ({"price": {"amount_minor": 1, "currency": "euro"}}, {"price.currency"}),
        ({"price": {"amount_minor": 1, "currency": "EUR", "tax": 1}}, {"price.tax"}),
        ({"one_booking_per_user": "yes"}, {"one_booking_per_user"}),
        ({"id": 7}, {"id"}),
        ({"version": 7}, {"version"}),
        ({"available_seats": 7}, {"available_seats"}),
        ({"organizer_id": "acct_1"}, {"organizer_id"}),
        ({"role": "ADMIN"}, {"role"}),
        (
            {"sales_open_at": "2099-01-02T00:00:00Z", "sales_close_at": "2099-01-01T00:00:00Z"},
            {"sales_close_at"},
        ),
    ],
)
def test_wrong_fields_are_named(
    client: httpx.Client, changes: dict[str, Any], wrong: set[str]
) -> None:
    """A wrong field could be coerced, or ignored."""
    body = {"name": "Concert", "total_seats": 3} | changes
    assert named(client.post("/events", json=body)) == wrong


def test_limits_themselves_are_allowed(client: httpx.Client) -> None:
    """A value at the limit of the contract could be refused."""
    longest = {"name": "n" * 200, "description": "d" * 5000, "key": new_key().ljust(64, "k")}
    assert create_event(client, 1_000_000, **longest)["total_seats"] == 1_000_000
    assert create_event(client, 0, name="n")["available_seats"] == 0


def test_the_key_of_an_event_is_never_reused(client: httpx.Client) -> None:
    """The key of a deleted event could come to name another event."""
    event = create_event(client, key=new_key())
    body = {"name": "Other", "total_seats": 1, "key": event["key"]}
    response = client.post("/events", json=body)
    assert refusal(response) == (409, "event_exists")
    assert client.delete(path(event)).status_code == 200
    assert refusal(client.post("/events", json=body)) == (409, "event_exists")


def test_an_unknown_event_is_not_found(client: httpx.Client) -> None:
    """A method could answer something else than 404 for an unknown event."""
    unknown = (404, "event_not_found")
    assert refusal(client.get("/events/1099511627776")) == unknown
    assert refusal(client.patch("/events/1099511627776", json={"name": "New"})) == unknown
    assert refusal(client.put("/events/1099511627776", json={"name": "New"})) == unknown
    assert refusal(client.delete("/events/1099511627776")) == unknown
    assert refusal(client.get("/api/events/1099511627776/availability")) == unknown


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change_keeps_fields_that_it_does_not_name(client: httpx.Client, method: str) -> None:
    """A change could reset fields that were not sent."""
    event = create_event(client, **ALL)
    response = client.request(method, path(event), json={"title": "Gig", "totalSeats": 41})
    changed = response.json()
    assert response.status_code == 200
    expected = {"name": "Gig", "title": "Gig", "total_seats": 41, "available_seats": 41}
    assert changed == event | expected | {"version": 2, "updated_at": changed["updated_at"]}
    assert response.headers["etag"] == '"2"'
    assert client.get(path(event)).json() == changed


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_null_clears_an_optional_field(client: httpx.Client, method: str) -> None:
    """A field that may be unset could not be cleared."""
    event = create_event(client, **ALL)
    changed = client.request(method, path(event), json=dict.fromkeys(CLEARED)).json()
    assert {name for name, value in changed.items() if value is None} == {
        *CLEARED,
        "key",
        "organizer_id",
    }


@pytest.mark.parametrize("field", ["name", "total_seats", "status"])
def test_required_fields_cannot_be_cleared(client: httpx.Client, field: str) -> None:
    """An event could lose its name or its seats."""
    assert named(client.patch(path(create_event(client)), json={field: None})) == {field}


def test_two_different_names_are_refused(client: httpx.Client) -> None:
    """A name and its copy with different values could be accepted."""
    event = create_event(client)
    fetched = client.get(path(event)).json()
    answer = client.put(path(event), json=fetched | {"name": "Gig", "title": "Opera"})
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert [detail["path"] for detail in answer.json()["details"]] == ["title"]
    assert client.get(path(event)).json() == fetched


@pytest.mark.parametrize("names", [("name",), ("title",), ("name", "title")])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_response_can_be_edited_and_sent_back(
    client: httpx.Client, method: str, names: tuple[str, ...]
) -> None:
    """A client that sends an edited response back could be refused, or lose the edit."""
    event = create_event(client, **{**ALL, "key": new_key()})
    edited = client.get(path(event)).json() | dict.fromkeys(names, "Gig") | {"venue": None}
    changed = client.request(method, path(event), json=edited).json()
    assert (changed["name"], changed["title"], changed["venue"]) == ("Gig", "Gig", None)
    assert changed["version"] == 2


@pytest.mark.parametrize("body", [{}, {"name": "Concert"}, {"total_seats": 3}])
def test_a_change_without_effect_keeps_the_version(
    client: httpx.Client, body: dict[str, Any]
) -> None:
    """A change without effect could break the ETags of others."""
    event = create_event(client)
    response = client.patch(path(event), json=body)
    assert (response.status_code, response.json()) == (200, event)


def test_wrong_changes_are_named(client: httpx.Client) -> None:
    """An error could name a field otherwise than the body does."""
    event = create_event(client)
    assert named(client.patch(path(event), json={"seats": 1, "name": 7})) == {"seats", "name"}
    assert named(client.patch(path(event), json={"total_seats": -1})) == {"total_seats"}
    assert named(client.patch(path(event), json={"key": new_key()})) == {"key"}


def test_if_match_guards_a_change(client: httpx.Client) -> None:
    """An edit of an old version could overwrite a newer one."""
    event = create_event(client)
    first = client.patch(path(event), json={"name": "A"}, headers={"If-Match": tag(event)})
    late = client.patch(path(event), json={"name": "B"}, headers={"If-Match": tag(event)})
    assert first.status_code == 200
    assert refusal(late) == (412, "version_mismatch")
    assert refusal(client.delete(path(event), headers={"If-Match": tag(event)})) == (
        412,
        "version_mismatch",
    )
    assert client.get(path(event)).json()["name"] == "A"


@pytest.mark.parametrize(
    ("if_match", "status"),
    [("*", 200), ('"9", "1"', 200), ('"9"', 412), ('W/"1"', 412), ("1", 412)],
)
def test_if_match_knows_its_forms(client: httpx.Client, if_match: str, status: int) -> None:
    """A valid form of `If-Match` could be read wrongly; a weak tag never matches."""
    event = create_event(client)
    headers = {"If-Match": if_match}
    assert client.put(path(event), json={"name": "A"}, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("DRAFT", "PUBLISHED", 200),
        ("PUBLISHED", "DRAFT", 200),
        ("PUBLISHED", "CANCELLED", 200),
        ("PUBLISHED", "COMPLETED", 200),
        ("PUBLISHED", "PUBLISHED", 200),
        ("DRAFT", "CANCELLED", 409),
        ("DRAFT", "COMPLETED", 409),
        ("CANCELLED", "PUBLISHED", 409),
        ("CANCELLED", "COMPLETED", 409),
        ("CANCELLED", "DRAFT", 409),
        ("COMPLETED", "PUBLISHED", 409),
        ("COMPLETED", "CANCELLED", 409),
        ("COMPLETED", "DRAFT", 409),
    ],
)
def test_status_moves_one_way(client: httpx.Client, before: str, after: str, status: int) -> None:
    """A cancelled event could be published again."""
    event = create_event(client, status=before)
    response = client.patch(path(event), json={"status": after})
    assert response.status_code == status
    if status == 409:
        assert refusal(response) == (409, "invalid_transition")
    assert client.get(path(event)).json()["status"] == (after if status == 200 else before)


def test_an_event_with_bookings_cannot_become_a_draft(client: httpx.Client) -> None:
    """An event with bookings could be hidden from those who booked."""
    event = create_event(client)
    reserve(client, event["id"])
    draft = client.patch(path(event), json={"status": "DRAFT"})
    assert refusal(draft) == (409, "invalid_transition")
    assert reserve(client, event["id"], "bob").status_code == 201


def test_one_booking_per_user_is_settled_by_the_first(client: httpx.Client) -> None:
    """The rule could change after the first booking."""
    event = create_event(client)
    change = {"one_booking_per_user": False}
    assert client.patch(path(event), json=change).json()["one_booking_per_user"] is False
    reserve(client, event["id"])
    back = client.patch(path(event), json={"one_booking_per_user": True})
    assert refusal(back) == (409, "invalid_transition")


def test_capacity_is_never_cut_below_what_is_booked(client: httpx.Client) -> None:
    """An event could be left oversold, or a refused shrink have effects."""
    event = create_event(client, 3)
    reserve(client, event["id"], "ada")
    reserve(client, event["id"], "bob")
    cut = client.patch(path(event), json={"total_seats": 1})
    assert refusal(cut) == (409, "capacity_below_booked")
    assert client.get(path(event)).json()["total_seats"] == 3
    assert client.patch(path(event), json={"total_seats": 2}).json()["available_seats"] == 0
    assert refusal(reserve(client, event["id"], "eve")) == (409, "sold_out")
    grown = client.patch(path(event), json={"total_seats": 4}).json()
    assert (grown["total_seats"], grown["available_seats"]) == (4, 2)
    assert reserve(client, event["id"], "eve").status_code == 201


def test_cancelling_an_event_cancels_its_bookings(client: httpx.Client) -> None:
    """A booking of a cancelled event could read as confirmed."""
    event, user = create_event(client), new_user()
    booked = reserve(client, event["id"], user)
    assert client.patch(path(event), json={"status": "CANCELLED"}).status_code == 200
    booking = client.get(booked.headers["location"]).json()
    assert booking["status"] == "CANCELLED"
    assert MOMENT.fullmatch(booking["cancelled_at"])


def test_deleting_returns_the_count_of_cancelled_bookings(client: httpx.Client) -> None:
    """Bookings of a deleted event could get lost, or the count be wrong."""
    event, users = create_event(client), [new_user(), new_user()]
    booked = [reserve(client, event["id"], user) for user in users]
    response = client.delete(path(event))
    assert response.status_code == 200
    assert response.json() == {"event_id": event["id"], "cancelled_bookings": 2}
    unknown = (404, "event_not_found")
    assert refusal(client.get(path(event))) == unknown
    assert refusal(client.delete(path(event))) == unknown
    assert refusal(client.patch(path(event), json={"name": "Back"})) == unknown
    assert refusal(client.get(f"/api/events/{event['id']}/availability")) == unknown
    assert refusal(reserve(client, event["id"])) == unknown
    assert [client.get(r.headers["location"]).json()["status"] for r in booked] == ["CANCELLED"] * 2


def test_availability_has_exactly_its_fields(client: httpx.Client) -> None:
    """A further field would break clients that compare the whole body."""
    event = create_event(client, 3)
    reserve(client, event["id"])
    response = client.get(f"/api/events/{event['id']}/availability")
    assert response.status_code == 200
    assert response.json() == {"event_id": event["id"], "total_seats": 3, "booked": 1, "left": 2}
    assert int(response.headers["x-inventory-revision"]) == 2


def test_a_draft_has_no_availability(client: httpx.Client) -> None:
    """A draft could be visible to buyers."""
    event = create_event(client, status="DRAFT")
    response = client.get(f"/api/events/{event['id']}/availability")
    assert refusal(response) == (404, "event_not_found")


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_repeated_key_changes_once(client: httpx.Client, method: str) -> None:
    """A repeated change could be made twice, or get another response."""
    event = create_event(client)
    where = "/events" if method == "POST" else path(event)
    body = {"name": "Gig", "total_seats": 5} if method != "DELETE" else None
    headers = {"Idempotency-Key": new_key()}
    first = client.request(method, where, json=body, headers=headers)
    if method in {"PATCH", "PUT"}:
        client.patch(path(event), json={"name": "Moved on"})
    again = client.request(method, where, json=body, headers=headers)
    assert first.is_success
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for name in {"etag", "location"} & first.headers.keys():
        assert again.headers[name] == first.headers[name]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_key_is_bound_to_its_request(client: httpx.Client, method: str) -> None:
    """A key with another body could be answered as the first request."""
    event = create_event(client)
    where = "/events" if method == "POST" else path(event)
    headers = {"Idempotency-Key": new_key()}
    body = {"name": "Gig", "total_seats": 5}
    assert client.request(method, where, json=body, headers=headers).is_success
    reused = client.request(method, where, json=body | {"name": "Other"}, headers=headers)
    assert refusal(reused) == (422, "idempotency_key_reused")


def test_a_key_is_bound_to_the_deleted_event(client: httpx.Client) -> None:
    """A key could delete a second event."""
    event, other = create_event(client), create_event(client)
    headers = {"Idempotency-Key": new_key()}
    assert client.delete(path(event), headers=headers).status_code == 200
    reused = client.delete(path(other), headers=headers)
    assert refusal(reused) == (422, "idempotency_key_reused")
    assert client.get(path(other)).status_code == 200


def test_refused_changes_are_stored_for_their_key(client: httpx.Client) -> None:
    """A refused change could be made by a repetition of its key."""
    event = create_event(client, 2)
    reserve(client, event["id"])
    headers = {"Idempotency-Key": new_key()}
    cut = client.patch(path(event), json={"total_seats": 0}, headers=headers)
    again = client.patch(path(event), json={"total_seats": 0}, headers=headers)
    assert refusal(cut) == (409, "capacity_below_booked")
    assert again.content == cut.content
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("key", ["", "a b", "k" * 256])
def test_a_bad_key_is_refused(client: httpx.Client, method: str, key: str) -> None:
    """A malformed key could be noticed only after the change was made."""
    event = create_event(client)
    where = "/events" if method == "POST" else path(event)
    body = {"name": "Gig", "total_seats": 5} if method != "DELETE" else None
    response = client.request(method, where, json=body, headers={"Idempotency-Key": key})
    assert refusal(response) == (400, "invalid_idempotency_key")
    assert client.get(path(event)).json() == event
