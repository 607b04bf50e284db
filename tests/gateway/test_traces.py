"""Traces: a request is one trace, through the gateway, a batch and a service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from boxoffice.rest.v1 import batch_pb2_grpc
from gateway.http.metrics import LIVE_EVENTS
from gateway.http.server.limits import LIMITS
from gateway.live.followed import Followed
from gateway.live.pace import PACE
from services.kit.auth.authentication import Authenticator
from services.kit.process.traces import OpenTelemetry
from services.kit.rpc import context
from services.kit.rpc.channel import call, open_channel
from services.kit.rpc.errors import Internal, RequestInProgress
from services.kit.rpc.spans import Spans
from services.kit.server import interceptors
from services.kit.server.batch import PATH as BATCH
from services.kit.server.batch import BatchServicer, Item, Outcome, handlers_of
from services.kit.server.server import Server
from services.kit.server.traces import Traces
from tests.gateway import messages
from tests.gateway.conftest import run_gateway
from tests.services.kit.serving import AVAILABILITY, scripted

TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVICE = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"]
RESERVE = f"/{SERVICE.full_name}/Reserve"
COUNT = f"/{SERVICE.full_name}/GetAvailability"


@dataclass
class Traced:
    """Spans that are kept in memory, and the target of a service whose calls are traced."""

    exporter: InMemorySpanExporter
    spans: Spans
    target: str = ""

    def found(self) -> dict[str, ReadableSpan]:
        """Returns the spans that have ended by their names, and forgets them."""
        ended = {span.name: span for span in self.exporter.get_finished_spans()}
        self.exporter.clear()
        return ended


def outcome_for(item: Item[Any]) -> Outcome:
    """Reserves for everybody but some."""
    refusals = {"late": RequestInProgress(), "unlucky": Internal()}
    return refusals.get(item.request.user_id) or messages.reserved(item.request)


async def reserve(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
    """Handles reservations."""
    return [outcome_for(item) for item in items]


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    """Serves bookings with traces, alone and in batches."""
    exporter = InMemorySpanExporter()
    traced = Traced(exporter, OpenTelemetry("test", SimpleSpanProcessor(exporter), share=1))
    authenticator = Authenticator(open_access=True, service_key="")
    layer = Traces(traced.spans, without=BATCH)
    server = Server(interceptors.layers(authenticator, log_sample=0, traces=[layer]))
    names = ("Reserve", "CreateBooking", "GetAvailability", "CancelBookingByReference")
    handlers = handlers_of(SERVICE, **dict.fromkeys(names, reserve))
    batches = BatchServicer(authenticator, handlers, log_sample=0, spans=traced.spans)
    batch_pb2_grpc.add_BatchServiceServicer_to_server(batches, server.grpc)
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(scripted(), server.grpc)
    traced.target = f"127.0.0.1:{server.listen('127.0.0.1:0')}"
    await server.start()
    yield traced
    await server.grpc.stop(None)
    traced.spans.close()


@contextlib.asynccontextmanager
async def browsing(traced: Traced) -> AsyncIterator[httpx.AsyncClient]:
    """Runs a gateway with traces, and yields a client of it."""
    async with (
        run_gateway(traced.target, LIMITS, PACE, traced.spans, batch_size=8) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        yield client


async def test_a_request_is_one_trace(traced: Traced) -> None:
    """Nobody could find out which process made a request slow."""
    async with browsing(traced) as client:
        for user, status, outcome in (
            ("ada", "201", "OK"),
            ("late", "409", "REQUEST_IN_PROGRESS"),
            ("unlucky", "500", "INTERNAL"),
        ):
            await client.post(
                "/api/bookings/reserve",
                json={"event_id": 1, "user_id": user},
                headers={"traceparent": f"00-{TRACE}-{CLIENT}-01", "X-Request-Id": user},
            )
            spans = traced.found()
            outer, inner = spans["POST /api/bookings/reserve"], spans[RESERVE]
            assert [_id(outer), _parent(outer), _parent(inner)] == [TRACE, CLIENT, _span(outer)]
            assert [_of(outer), _of(inner)] == [(user, status), (user, outcome)]
            failed = user == "unlucky"
            assert [not outer.status.is_ok, not inner.status.is_ok] == [failed, failed]
            assert spans.keys() == {outer.name, inner.name}, "a batch belongs to many traces"


class Watched:
    """An event that is followed; it notes the trace in which that happens."""

    has_ended = False

    def __init__(self, event_id: int) -> None:
        self.event_id = event_id
        self.users = 0
        self.opened = asyncio.get_running_loop().create_future()
        self.traceparent: str | None = None

    async def run(self) -> None:
        """Follows the event."""
        self.traceparent = context.traceparent.get()
        self.opened.set_result(None)


async def test_a_client_without_a_trace_begins_one(traced: Traced) -> None:
    """Requests of browsers could have no trace, or bad headers be errors."""
    async with browsing(traced) as client:
        for headers in ({}, {"traceparent": "nonsense"}):
            response = await client.get("/health", headers=headers)
            assert response.status_code == 200
            assert traced.found()["GET /health"].parent is None


async def test_a_call_of_another_service_is_in_the_trace_of_its_caller(traced: Traced) -> None:
    """What a service asks of another one could be missing in the trace."""
    context.traceparent.set(f"00-{TRACE}-{CLIENT}-01")
    async with open_channel(traced.target) as channel:
        stub = bookings_pb2_grpc.BookingsServiceStub(channel)
        await call(stub.GetAvailability, AVAILABILITY, timeout_seconds=10)
    found = traced.found()[COUNT]
    assert (_id(found), _parent(found)) == (TRACE, CLIENT)


async def test_what_many_clients_watch_is_in_no_trace() -> None:
    """A stream of hours could be in the trace of its first client, which is long over."""
    context.traceparent.set(f"00-{TRACE}-{CLIENT}-01")
    followed: Followed[Any] = Followed(Watched, PACE, LIVE_EVENTS)
    watched: Any = await followed.open(1)
    assert watched.traceparent == ""
    await followed.close()


def _id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def _span(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def _parent(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def _of(span: ReadableSpan) -> tuple[object, object]:
    attributes = span.attributes or {}
    return attributes["boxoffice.request_id"], attributes["boxoffice.outcome"]
