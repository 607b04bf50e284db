from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.client import create_event, new_user, open_client, refusal
from tests.e2e.system import SERVICE_KEY, System

EVENT = {"name": "Concert", "total_seats": 3}
SEAT = {"event_id": 1, "user_id": "ada"}
OPEN = [
    ("POST", "/events", EVENT),
    ("PATCH", "/events/1", {"name": "Gig"}),
    ("PUT", "/events/1", {"name": "Gig"}),
    ("DELETE", "/events/1", None),
    ("POST", "/api/bookings/reserve", SEAT),
    ("GET", "/api/bookings", None),
    ("GET", "/api/bookings/user?user_id=ada", None),
    ("GET", "/api/bookings/event/1", None),
    ("GET", "/api/bookings/booking/1", None),
    ("GET", "/api/bookings/top-users", None),
]
PUBLIC = ["/events", "/events/{id}", "/api/events/{id}/availability"]
CREDENTIALS = [
    "Bearer abc.def.ghi",
    "Bearer",
    "bearer abc",
    "Basic YTpi",
    "Service wrong",
    "nonsense",
    "Bearer caf\u00e9",
]


@pytest.fixture(scope="module")
def closed(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Runs a system on the same database, without open access."""
    folder = tmp_path_factory.mktemp("closed")
    with System(system.database, folder, BOXOFFICE_OPEN_ACCESS="false") as running:
        yield running


@pytest.fixture
def stranger(closed: System) -> Iterator[httpx.Client]:
    """Returns a client of that system."""
    with open_client(closed.url) as opened:
        yield opened


@pytest.mark.parametrize(("method", "path", "body"), OPEN)
def test_without_open_access_a_token_is_needed(
    stranger: httpx.Client, method: str, path: str, body: object
) -> None:
    """An endpoint could be open to anonymous callers by mistake."""
    response = stranger.request(method, path, json=body)
    assert refusal(response) == (401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_missing_token_is_reported_before_a_wrong_field(stranger: httpx.Client) -> None:
    """An anonymous caller could get 422 in place of 401."""
    for method, path, body in (("POST", "/bookings", {}), ("PATCH", "/auth/me", {"foo": 1})):
        assert refusal(stranger.request(method, path, json=body)) == (401, "unauthenticated")
    assert refusal(stranger.get("/api/bookings/user")) == (401, "unauthenticated")


@pytest.mark.parametrize("path", PUBLIC)
def test_public_endpoints_need_no_token(
    client: httpx.Client, stranger: httpx.Client, path: str
) -> None:
    """A public endpoint could require a token."""
    event = create_event(client)
    assert stranger.get(path.format(id=event["id"])).status_code == 200


def test_a_draft_is_hidden_from_strangers(client: httpx.Client, stranger: httpx.Client) -> None:
    """A draft could be visible in a list, or by its id."""
    word = new_user().replace("-", "")
    draft = create_event(client, name=word, status="DRAFT")
    where, found = f"/events/{draft['id']}", f"/events?query={word}"
    assert client.get(where).json()["available_seats"] == draft["total_seats"]
    assert len(client.get(found).json()) == 1
    assert refusal(stranger.get(where)) == (404, "event_not_found")
    assert stranger.get(found).json() == []
    assert stranger.get(f"{found}&page=1").json()["meta"]["total"] == 0


def test_health_needs_no_token(stranger: httpx.Client) -> None:
    """A load balancer could take the gateway out of service."""
    for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs"):
        assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), [*OPEN, ("GET", "/events", None)])
def test_an_invalid_token_is_refused_under_open_access(
    client: httpx.Client, method: str, path: str, body: object
) -> None:
    """An expired token could silently become an anonymous caller."""
    headers = {"Authorization": "Bearer abc.def.ghi"}
    response = client.request(method, path, json=body, headers=headers)
    assert refusal(response) == (401, "invalid_token")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_malformed_credentials_are_refused(client: httpx.Client, credentials: str) -> None:
    """A malformed credential could be accepted."""
    headers = {b"Authorization": credentials.encode("latin-1")}
    assert refusal(client.get("/events", headers=headers)) == (401, "invalid_token")


def test_an_empty_authorization_header_is_ignored(client: httpx.Client) -> None:
    """A client that always sends the header could be refused."""
    assert client.get("/events", headers={"Authorization": ""}).status_code == 200


def test_checks_come_in_their_order(client: httpx.Client) -> None:
    """A caller without rights could learn by an error whether something exists."""
    token = {"Authorization": "Bearer abc", "Content-Type": "application/json"}
    path = "/events/1099511627776"
    assert refusal(client.patch(path, content=b"{", headers=token)) == (400, "malformed_json")
    text = token | {"Content-Type": "text/plain"}
    assert refusal(client.patch(path, content=b"{}", headers=text))[0] == 415
    keyed = token | {"Idempotency-Key": "a b"}
    assert refusal(client.patch(path, content=b"{}", headers=keyed))[0] == 400
    wrong = {"seats": 1}
    assert refusal(client.patch(path, json=wrong, headers=token)) == (401, "invalid_token")
    assert refusal(client.patch(path, json=wrong)) == (422, "validation_error")
    assert refusal(client.patch(path, json={"name": "Gig"})) == (404, "event_not_found")


def test_the_gateway_does_not_accept_the_service_key(client: httpx.Client) -> None:
    """The key of services could be guessed, or used, through the gateway."""
    headers = {"Authorization": f"Service {SERVICE_KEY}"}
    assert refusal(client.get("/events", headers=headers)) == (401, "invalid_token")
