"""Rate limits over HTTP: which requests they refuse, how, and which do not count."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from gateway.http.server.limits import LIMITS
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.gateway.redis_server import redis_server
from tests.gateway.script import Script
from tests.services.issuer import ScriptedIssuer, account, serve_identity

KEY = "box_one_secret"

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}


def client(url: str) -> httpx.AsyncClient:
    """Opens a client."""
    return httpx.AsyncClient(base_url=url, trust_env=False)


@pytest.fixture
def answering(script: Script) -> Script:
    """Sets the responses of the RPCs that these tests call."""
    script.answers["GetEvent"] = lambda _: events_pb2.GetEventResponse(event=messages.event())
    script.answers["ListBookings"] = lambda _: bookings_pb2.ListBookingsResponse()
    script.answers["Reserve"] = messages.reserved
    return script


@pytest_asyncio.fixture(loop_scope="module")
async def issuer() -> AsyncIterator[tuple[ScriptedIssuer, str]]:
    """Runs an issuer of tokens; yields it and its address."""
    scripted = ScriptedIssuer()
    server, target = await serve_identity(scripted)
    yield scripted, target
    await server.stop(None)


def bearer(credential: str) -> dict[str, str]:
    """Returns the header of a token or an API key."""
    return {"authorization": f"Bearer {credential}"}


async def statuses(client: httpx.AsyncClient, number: int, **named: Any) -> list[int]:
    """Requests an event several times; returns the statuses."""
    return [(await client.get("/events/5", **named)).status_code for _ in range(number)]


async def test_a_refused_client_learns_the_limit(target: str, answering: Script) -> None:
    """A client would not know how many requests it has, or how long to wait."""
    async with (
        run_gateway(target, address_requests_per_minute=3) as gateway,
        client(gateway.url) as asking,
    ):
        assert await statuses(asking, 3) == [200] * 3
        answer = await asking.get("/api/bookings")
        assert (answer.status_code, answer.content) == (429, b'{"error":"rate_limited"}')
        wait = int(answer.headers["retry-after"])
        assert 1 <= wait <= 60
        assert answer.headers.get_list("retry-after") == [str(wait)]
        assert answer.headers["ratelimit"] == f'"address";r=0;t={wait}'
        assert answer.headers["ratelimit-policy"] == '"address";q=3;w=60'
        assert answer.headers["cache-control"] == "no-store"
    assert len(answering.asked) == 3


async def test_health_and_documentation_have_no_limit(target: str, answering: Script) -> None:
    """A balancer would take a gateway out because it asked too often."""
    async with (
        run_gateway(target, address_requests_per_minute=1) as gateway,
        client(gateway.url) as asking,
    ):
        assert await statuses(asking, 2) == [200, 429]
        for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs"):
            assert (await asking.get(path)).status_code == 200, path
        metrics = (await asking.get("/metrics")).text
        assert 'boxoffice_rate_limited_total{quota="address"}' in metrics


async def test_limits_can_be_switched_off(target: str, answering: Script) -> None:
    """Measurements, and proxies with limits of their own, would be refused."""
    async with (
        run_gateway(target, rate_limits="off", address_requests_per_minute=1) as gateway,
        client(gateway.url) as asking,
    ):
        assert await statuses(asking, 5) == [200] * 5


async def test_the_order_of_checks_with_a_limit(target: str, answering: Script) -> None:
    """A malformed request would use up the limit, or a client over it would get field errors."""
    async with (
        run_gateway(target, address_requests_per_minute=2) as gateway,
        client(gateway.url) as asking,
    ):
        url = "/api/bookings/reserve"
        for content, status in [(b"{", 400), (b"{}", 422), (b"{}", 422), (b"{}", 429), (b"{", 400)]:
            answer = await asking.post(url, content=content, headers=JSON)
            assert answer.status_code == status
        assert (await asking.post(url, content=b"{}")).status_code == 415


NEEDING_A_TOKEN = [
    ("POST", "/bookings", "{}"),
    ("PATCH", "/auth/me", '{"foo":1}'),
    ("POST", "/auth/api-keys", '{"x":1}'),
    ("GET", "/bookings?limit=a", None),
    ("GET", "/events/organizer/my-events?page=0", None),
]
OPEN_TO_ALL = [
    ("POST", "/api/bookings/reserve", '{"event_id":"x"}'),
    ("POST", "/events", "{}"),
    ("GET", "/api/bookings/user", None),
    ("GET", "/bookings/xyz", None),
    ("DELETE", "/events/abc", None),
]


@pytest.mark.parametrize("rate_limits", ["on", "off"])
async def test_a_missing_token_comes_before_field_errors(
    target: str, answering: Script, rate_limits: str
) -> None:
    """An anonymous caller would get 422 where it needs a token, and 401 after it mended that."""
    named = {"rate_limits": rate_limits}
    for open_access, expected in ((False, 401), (True, 422)):
        async with (
            run_gateway(target, LIMITS, open_access=open_access, **named) as gateway,
            client(gateway.url) as asking,
        ):
            for method, url, content in NEEDING_A_TOKEN:
                answer = await asking.request(method, url, content=content, headers=JSON)
                assert (answer.status_code, answer.json()) == (401, {"error": "unauthenticated"})
                assert answer.headers["www-authenticate"] == "Bearer"
            for method, url, content in OPEN_TO_ALL:
                answer = await asking.request(method, url, content=content, headers=JSON)
                assert answer.status_code == expected, (method, url)
    assert not answering.asked


async def test_malformed_and_public_requests_need_no_token(target: str, answering: Script) -> None:
    """A malformed body would get 401, and so would a wrong field of a public endpoint."""
    async with run_gateway(target, open_access=False) as gateway, client(gateway.url) as asking:
        answer = await asking.post("/bookings", content="{", headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (400, "malformed_json")
        assert (await asking.get("/events?limit=a")).status_code == 422
        assert (await asking.get("/events/5")).status_code == 200


async def test_a_request_without_its_token_is_not_counted(target: str, answering: Script) -> None:
    """A page that forgot to log in would lock out everybody at its address."""
    async with (
        run_gateway(target, open_access=False, address_requests_per_minute=1) as gateway,
        client(gateway.url) as asking,
    ):
        for _ in range(3):
            assert (await asking.get("/api/bookings")).status_code == 401
        assert await statuses(asking, 2) == [200, 429]


async def test_forged_tokens_count_for_their_address(target: str, answering: Script) -> None:
    """Checking forged tokens would cost the gateway time without any limit."""
    async with (
        run_gateway(target, address_requests_per_minute=3) as gateway,
        client(gateway.url) as asking,
    ):
        token = {"authorization": "Bearer made-up"}
        assert await statuses(asking, 5, headers=token) == [401] * 3 + [429] * 2
        assert await statuses(asking, 1) == [429]


async def test_gateways_with_a_common_store_have_common_limits(
    target: str, answering: Script, unused_tcp_port: int, tmp_path: Path
) -> None:
    """A client would get the limit from each gateway; the control is two without a store."""
    async with redis_server(unused_tcp_port, tmp_path) as redis:
        for url, expected in ((redis.url, [200, 429]), ("", [200, 200])):
            named = {"address_requests_per_minute": 1, "rate_limits_url": url}
            async with (
                run_gateway(target, LIMITS, **named) as one,
                run_gateway(target, LIMITS, **named) as other,
                client(one.url) as asking,
                client(other.url) as asking_other,
            ):
                found = [*await statuses(asking, 1), *await statuses(asking_other, 1)]
                assert found == expected


async def test_clients_behind_a_proxy_have_limits_of_their_own(
    target: str, answering: Script
) -> None:
    """All clients of a proxy would share one limit, or a client could invent an address."""
    async with (
        run_gateway(
            target, address_requests_per_minute=1, trusted_proxies="127.0.0.0/8"
        ) as gateway,
        client(gateway.url) as asking,
    ):
        for number in range(3):
            headers = {"x-forwarded-for": f"6.6.6.{number}, 9.9.9.9"}
            expected = 429 if number else 200
            assert await statuses(asking, 1, headers=headers) == [expected]
        assert await statuses(asking, 1, headers={"x-forwarded-for": "9.9.9.8"}) == [200]


async def test_an_untrusted_proxy_is_one_client(target: str, answering: Script) -> None:
    """A client would escape its limit by inventing addresses in either header."""
    async with (
        run_gateway(target, address_requests_per_minute=1, trusted_proxies="10.0.0.0/8") as gateway,
        client(gateway.url) as asking,
    ):
        for number in range(3):
            headers = {
                "x-forwarded-for": f"9.9.9.{number}",
                "forwarded": f"for=9.9.9.{number}",
                "x-real-ip": f"9.9.9.{number}",
            }
            expected = 429 if number else 200
            assert await statuses(asking, 1, headers=headers) == [expected]


async def test_an_account_has_one_limit_at_all_addresses(
    target: str, answering: Script, issuer: tuple[ScriptedIssuer, str]
) -> None:
    """An account would get another limit with each token, or use up that of its neighbours."""
    scripted, accounts = issuer
    async with (
        run_gateway(target, accounts_target=accounts, caller_requests_per_minute=2) as gateway,
        client(gateway.url) as asking,
    ):
        tokens = [bearer(scripted.token(account("ada"))) for _ in range(3)]
        answers = [await asking.get("/events/5", headers=token) for token in tokens]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["ratelimit-policy"] == '"caller";q=2;w=60'
        bob = bearer(scripted.token(account("bob")))
        assert await statuses(asking, 2, headers=bob) == [200] * 2
        assert await statuses(asking, 3) == [200] * 3


async def test_an_api_key_is_counted_with_its_secret(
    target: str, answering: Script, issuer: tuple[ScriptedIssuer, str]
) -> None:
    """Anybody who knows the public part could use up the key's limit."""
    async with (
        run_gateway(target, accounts_target=issuer[1], caller_requests_per_minute=2) as gateway,
        client(gateway.url) as asking,
    ):
        for number in range(5):
            assert await statuses(asking, 1, headers=bearer(f"{KEY}{number}")) == [200]
        assert await statuses(asking, 3, headers=bearer(KEY)) == [200, 200, 429]


async def test_an_unverifiable_token_is_left_to_the_service(target: str, answering: Script) -> None:
    """While accounts is down, callers that the service still knows would get 503."""
    nowhere = "127.0.0.1:1"
    async with (
        run_gateway(target, accounts_target=nowhere, address_requests_per_minute=1) as gateway,
        client(gateway.url) as asking,
    ):
        token = bearer(ScriptedIssuer().token(account("ada")))
        assert await statuses(asking, 2, headers=token) == [200, 429]
    assert answering.asked[0].metadata["authorization"] == token["authorization"]
