"""The requests of one connection and their responses, in order."""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

import structlog

from gateway.http.app import App
from gateway.http.messages import BodyStream, Handler, Request, Response
from gateway.http.server import stream_socket
from gateway.http.server.outlet import Outlet
from gateway.http.server.serialization import serialize, serialize_stream_head
from services.kit.rpc.errors import Refusal

log = structlog.get_logger()


class Pipeline:
    """Handles the requests of a connection one after the other, in the order of their arrival.

    One task does it for as long as the connection lasts, as a task for each request costs more.
    `tasks` holds that task while it runs. `became_idle` is called when every request has its
    response, `became_stream` when the last response is a stream.
    """

    def __init__(
        self,
        app: App,
        transport: asyncio.Transport,
        tasks: set["asyncio.Task[None]"],
        became_idle: Callable[[], None],
        became_stream: Callable[[], None],
    ) -> None:
        self._app = app
        self._transport = transport
        self.outlet = Outlet(transport)
        self._tasks = tasks
        self._became_idle = became_idle
        self._became_stream = became_stream
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Handler, Request]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._stream: BodyStream | None = None
        self._cuts_streams = False
        self._is_finishing = False
        self.is_busy = False

    @property
    def is_new(self) -> bool:
        """Whether no request has arrived yet."""
        return self._task is None

    @property
    def is_streaming(self) -> bool:
        """Whether the response is a stream."""
        return self._stream is not None

    def add(self, handle: Handler, request: Request, *, is_last: bool) -> None:
        """Queues a request; ignores every request after the last one."""
        if self._is_finishing:
            return
        self._is_finishing = is_last
        self._waiting.append((handle, request))
        self.is_busy = True
        if self._task is None:
            self._task = self._loop.create_task(self._respond_to_all())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)
        elif self._arrival is not None:
            self._wake_up()
        else:
            self._transport.pause_reading()

    def finish(self) -> None:
        """Accepts no further request; closes the connection after the last response.

        A stream ends at once, as if its service had ended it.
        """
        self._is_finishing = True
        self._cut_streams()
        if not self.is_busy:
            self._transport.close()

    def abandon(self) -> None:
        """Stops writing, as the client has gone; only the RPC of a stream is cancelled."""
        self._is_finishing = True
        self._cut_streams()
        self._became_idle = self._became_stream = _do_nothing
        self._wake_up()
        self.outlet.resume()

    def when_done(self, callback: Callable[[], None]) -> None:
        """Calls back once no request is handled any more, also of a connection that is gone."""
        if self._task is None:
            callback()
        else:
            self._task.add_done_callback(lambda _: callback())

    def _wake_up(self) -> None:
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None

    async def _respond_to_all(self) -> None:
        try:
            while not self._transport.is_closing():
                handle, request = self._waiting.popleft()
                response = await handle(request)
                if response.stream is not None:
                    await self._send_stream(request, response, response.stream)
                    return
                closes = self._app.is_draining or (self._is_finishing and not self._waiting)
                has_body = request.method != "HEAD"
                sent = serialize(response, request.request_id, has_body=has_body, closes=closes)
                await self.outlet.send(sent)
                if closes or (self._is_finishing and not self._waiting):
                    return
                if not self._waiting:
                    await self._wait_for_request()
        except Exception:
            log.exception("connection failed")
        finally:
            self._close()

    async def _send_stream(self, request: Request, response: Response, stream: BodyStream) -> None:
        """Sends the last response of the connection, at the pace of its client."""
        self._is_finishing = True
        self._stream = stream
        self._became_stream()
        stream_socket.tune(self._transport)
        is_chunked = stream.is_chunked and request.version != "1.0"
        if self._cuts_streams:
            stream.close()
        try:
            # A protocol that the connection changes to writes its own head.
            if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
                head = serialize_stream_head(response, request.request_id, is_chunked=is_chunked)
                await self.outlet.send(head)
            if request.method != "HEAD":
                await self._pour(stream, is_chunked=is_chunked)
        except Refusal as refusal:
            log.warning("stream broke", request_id=request.request_id, reason=refusal.reason)
            if not is_chunked:
                # Only a reset shows the client that the body is incomplete.
                self._transport.abort()
        finally:
            stream.close()
            self._stream = None

    async def _pour(self, stream: BodyStream, *, is_chunked: bool) -> None:
        if is_chunked:
            self.outlet.begin_chunks()
        await stream.pour(self.outlet)
        await self.outlet.send_end()

    def _cut_streams(self) -> None:
        self._cuts_streams = True
        if self._stream is not None:
            self._stream.close()

    async def _wait_for_request(self) -> None:
        self.is_busy = False
        self._transport.resume_reading()
        self._became_idle()
        if not self._waiting and not self._transport.is_closing():
            self._arrival = self._loop.create_future()
            await self._arrival

    def _close(self) -> None:
        self.is_busy = False
        self._is_finishing = True
        self._transport.close()
        self._became_idle()


def _do_nothing() -> None:
    """Replaces a callback of a connection that is gone."""
