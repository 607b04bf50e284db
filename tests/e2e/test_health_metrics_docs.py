import re

import httpx
import pytest

from tests.e2e.client import create_event, open_client, refusal
from tests.e2e.conftest import Start
from tests.e2e.system import System, free_ports

UI = ["/api", "/api-spec", "/docs"]


def test_health_is_exact(client: httpx.Client) -> None:
    """A further field would break clients that compare the whole body."""
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_is_exact(client: httpx.Client) -> None:
    """A further field would break clients that compare the whole body."""
    response = client.get("/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_metrics_count_by_route_and_status(client: httpx.Client) -> None:
    """A client could create a time series for each path that it requests."""
    client.get("/events/1099511627776")
    response = client.get("/metrics")
    line = 'boxoffice_http_requests_total{method="GET",route="/events/{event_id}",status="404"}'
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert line in response.text
    assert "1099511627776" not in response.text


def test_only_signing_keys_may_be_cached(client: httpx.Client) -> None:
    """A cache could keep personal data, or a refusal."""
    kept = {
        path: client.get(path).headers["cache-control"]
        for path in ("/.well-known/jwks.json", "/auth/me", "/bookings", "/events")
    }
    assert kept.pop("/.well-known/jwks.json") == "public, max-age=60"
    assert set(kept.values()) == {"no-store"}
    refused = client.post("/auth/login", json={"email": "x@example.com", "password": "x"})
    assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")


@pytest.mark.parametrize("path", UI)
def test_the_documentation_needs_nothing_from_elsewhere(client: httpx.Client, path: str) -> None:
    """The documentation could be empty without internet access."""
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) >= 3
    for file in files:
        assert file.startswith("/")
        assert client.get(file).status_code == 200


def test_the_document_describes_the_api(client: httpx.Client) -> None:
    """A route of the contract could be missing in the OpenAPI document."""
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/events", "/events/{event_id}", "/api/bookings/reserve"} <= document["paths"].keys()


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/events", "/api/bookings", "/openapi.json", "/docs"]
)
def test_head_answers_like_get(client: httpx.Client, path: str) -> None:
    """HEAD could have other headers than GET, or a body."""
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


def test_head_refuses_like_get(client: httpx.Client) -> None:
    """A refused HEAD could have a body."""
    response = client.head("/events/1099511627776")
    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    "path", ["/nope", "/event", "/events/", "/events/1/2", "//events", "/EVENTS", "/events/1/"]
)
def test_an_unknown_path_is_not_found(client: httpx.Client, path: str) -> None:
    """A path could be normalised to a route that it does not name."""
    # A whole URL: httpx would read `//events` by itself as a host.
    assert refusal(client.get(str(client.base_url).rstrip("/") + path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/events", {"GET", "HEAD", "POST"}),
        ("POST", "/events/1", {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
        ("GET", "/api/bookings/reserve", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("OPTIONS", "/events", {"GET", "HEAD", "POST"}),
        ("TRACE", "/events", {"GET", "HEAD", "POST"}),
        ("PURGE", "/events", {"GET", "HEAD", "POST"}),
        ("POST", "/docs", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_not_allowed(
    client: httpx.Client, method: str, path: str, allowed: set[str]
) -> None:
    """A 405 could be a 404, or name no allowed methods."""
    response = client.request(method, path)
    assert refusal(response) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0"])
def test_a_client_that_does_not_accept_json_is_refused(client: httpx.Client, accept: str) -> None:
    """A request could be carried out for a client that cannot read the response."""
    name = f"unread {accept}"
    body = {"name": name, "total_seats": 1}
    response = client.post("/events", json=body, headers={"Accept": accept})
    assert refusal(response) == (406, "not_acceptable")
    assert name not in {event["name"] for event in client.get("/events").json()}


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "text/html, application/json;q=0.5", "APPLICATION/JSON", ""]
)
def test_each_form_of_accepting_json_is_valid(client: httpx.Client, accept: str) -> None:
    """A valid `Accept` header could be refused."""
    assert client.get("/health", headers={"Accept": accept}).status_code == 200


def test_the_request_id_of_the_client_is_returned(client: httpx.Client) -> None:
    """A client could not find its request in the logs."""
    headers = {"X-Request-Id": "my.request-1_A"}
    for path in ("/health", "/nope", "/events/1099511627776"):
        assert client.get(path, headers=headers).headers["x-request-id"] == "my.request-1_A"


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "<script>", "caf\u00e9"])
def test_an_unusable_request_id_is_replaced(client: httpx.Client, sent: str) -> None:
    """A request id could break a log line."""
    headers = {b"X-Request-Id": sent.encode("latin-1")}
    given = client.get("/health", headers=headers).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", given)


def test_request_ids_differ(client: httpx.Client) -> None:
    """Two requests could share an id."""
    assert len({client.get("/health").headers["x-request-id"] for _ in range(5)}) == 5


def test_extra_ports_serve_too(start: Start) -> None:
    """Clients of a replaced system, on its port, could reach nothing."""
    [extra] = free_ports(1)
    system = start(EXTRA_PORTS=str(extra))
    with open_client(system.url) as client, open_client(f"http://127.0.0.1:{extra}") as other:
        event = create_event(client)
        assert other.get(f"/events/{event['id']}").json() == event


def test_a_taken_port_is_reported_clearly(system: System, start: Start) -> None:
    """A taken port could end in a traceback."""
    with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{system.port}"):
        start(EXTRA_PORTS=str(system.port))
