"""A limit on the responses that are streamed at the same time."""

import contextlib
from collections import Counter
from dataclasses import dataclass

from gateway.http import metrics
from gateway.http.client_address import ClientAddresses
from gateway.http.errors import RateLimited
from gateway.http.messages import BodyStream, Handler, Outlet, Request, Response
from gateway.http.routing import Route
from services.kit.rpc.errors import Unavailable

QUOTA = "streams"
RETRY_SECONDS = 5
"""How long a client is asked to wait while its address has too many streams."""


class StreamLimit:
    """Refuses streams beyond `max_streams`, and beyond `address_streams` of one address.

    A stream counts from its request until its end, which may be hours later. So streams are not
    counted among the requests in flight, and do not take the place of a sale.
    """

    def __init__(
        self, addresses: ClientAddresses, *, max_streams: int, address_streams: int
    ) -> None:
        self._addresses = addresses
        self.max_streams = max_streams
        self.address_streams = address_streams
        self._count = 0
        self._by_address: Counter[str] = Counter()

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        if not route.is_stream:
            return handle

        async def limited(request: Request) -> Response:
            address = self._addresses.of(request.peer, request.headers)
            with contextlib.ExitStack() as slot:
                self._acquire(address)
                slot.callback(self._release, address)
                response = await handle(request)
                if response.stream is None:
                    return response
                return response._replace(stream=_CountedStream(response.stream, slot.pop_all()))

        return limited

    def _acquire(self, address: str) -> None:
        """Counts a stream. Raises Unavailable, or RateLimited if its address has too many."""
        if self._by_address[address] >= self.address_streams:
            metrics.LIMITED.labels(QUOTA).inc()
            raise RateLimited(
                QUOTA,
                requests=self.address_streams,
                seconds=RETRY_SECONDS,
                wait_seconds=RETRY_SECONDS,
            )
        if self._count >= self.max_streams:
            raise Unavailable
        self._count += 1
        self._by_address[address] += 1
        metrics.STREAMS.inc()

    def _release(self, address: str) -> None:
        metrics.STREAMS.dec()
        self._count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


@dataclass(frozen=True, slots=True)
class _CountedStream:
    """A stream that gives its slot back when it is closed."""

    stream: BodyStream
    slot: contextlib.ExitStack

    @property
    def is_chunked(self) -> bool:
        """See BodyStream."""
        return self.stream.is_chunked

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""
        await self.stream.pour(outlet)

    def close(self) -> None:
        """See BodyStream."""
        self.stream.close()
        self.slot.close()
