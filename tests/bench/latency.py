"""The latency of a single reservation on an idle system, and the share of combining."""

import statistics
import time
from collections.abc import Callable, Iterator

import grpc
import httpx

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from tests.bench.database import ROOM
from tests.bench.system import System
from tests.bench.tls import channel_to_bookings

REQUESTS, ROUNDS = 100, 3
GOAL_MS = 3

Reserve = Callable[[int, str], object]


def report(system: System) -> Iterator[str]:
    """Measures each way several times, in turn; returns a line for each."""
    yield f"idle: one reservation after the other, ms (goal {GOAL_MS})"
    with (
        system.another_gateway(GATEWAY_BATCH_SIZE="1") as uncombined,
        httpx.Client(base_url=system.url) as client,
        httpx.Client(base_url=f"http://127.0.0.1:{uncombined}") as other,
        channel_to_bookings(f"127.0.0.1:{system.ports['BOOKINGS_PORT']}") as channel,
    ):
        ways = {
            "through the gateway": _over_http(client),
            "the same, not combined": _over_http(other),
            "gRPC alone": _over_grpc(channel),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(ROUNDS):
            for way, reserve in ways.items():
                took[way] += _measure(system.create_event(ROOM), reserve, f"idle-{number}")
    for way, milliseconds in took.items():
        p99 = statistics.quantiles(milliseconds, n=100)[98]
        yield f"    {way:<24} p50 {statistics.median(milliseconds):.2f}  p99 {p99:.2f}"


def _measure(event_id: int, reserve: Reserve, run: str) -> list[float]:
    took = []
    for number in range(REQUESTS):
        started = time.perf_counter()
        reserve(event_id, f"{run}-{number}")
        took.append(1e3 * (time.perf_counter() - started))
    return took


def _over_http(client: httpx.Client) -> Reserve:
    def reserve(event_id: int, user_id: str) -> object:
        body = {"event_id": event_id, "user_id": user_id}
        return client.post("/api/bookings/reserve", json=body).raise_for_status()

    return reserve


def _over_grpc(channel: grpc.Channel) -> Reserve:
    stub = bookings_pb2_grpc.BookingsServiceStub(channel)

    def reserve(event_id: int, user_id: str) -> object:
        request = bookings_pb2.ReserveRequest(event_id=event_id, user_id=user_id)
        return stub.Reserve(request, timeout=5)

    return reserve
