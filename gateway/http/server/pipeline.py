"""The requests of one connection and their answers, in turn."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from gateway.http.app import App
from gateway.http.messages import Handler, Request
from gateway.http.server.serialization import encoded

log = structlog.get_logger()


class Conversation:
    """Answers requests one after the other, in the order they came in.

    One task does it for as long as the connection lasts, as a task for each request costs more.
    `rested` is called whenever everything is answered. `tasks` has the task while it runs.
    """

    def __init__(
        self,
        app: App,
        transport: asyncio.Transport,
        tasks: set["asyncio.Task[None]"],
        rested: Callable[[], None],
    ) -> None:
        self._app = app
        self._transport = transport
        self._tasks = tasks
        self._rested = rested
        self._loop = asyncio.get_running_loop()
        self._asked: deque[tuple[Handler, Request]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._is_ending = False
        self.is_busy = False

    @property
    def is_new(self) -> bool:
        """Whether nothing was asked yet."""
        return self._task is None

    def ask(self, handle: Handler, request: Request, *, is_last: bool) -> None:
        """Takes a request; after the last one it takes no more."""
        if self._is_ending:
            return
        self._is_ending = is_last
        self._asked.append((handle, request))
        self.is_busy = True
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)
        elif self._arrival is not None:
            self._go_on()
        else:
            self._transport.pause_reading()

    def end(self) -> None:
        """Takes no more, and closes the connection once everything is answered."""
        self._is_ending = True
        if not self.is_busy:
            self._transport.close()

    def drop(self) -> None:
        """Says nothing more, as nobody listens; what is asked of a service is still done."""
        self._is_ending = True
        self._rested = _nothing
        self._go_on()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Lets the client read before more is written."""
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """Writes again."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)

    def _go_on(self) -> None:
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None

    async def _answer_all(self) -> None:
        try:
            while not self._transport.is_closing():
                handle, request = self._asked.popleft()
                response = await handle(request)
                closes = self._app.is_draining or (self._is_ending and not self._asked)
                has_body = request.method != "HEAD"
                sent = encoded(response, request.request_id, has_body=has_body, closes=closes)
                if self._may_write is not None:
                    await self._may_write
                if self._transport.is_closing():
                    return
                self._transport.write(sent)
                if closes or (self._is_ending and not self._asked):
                    return
                if not self._asked:
                    await self._rest()
        except Exception:
            log.exception("connection failed")
        finally:
            self._close()

    async def _rest(self) -> None:
        """Waits for a request."""
        self.is_busy = False
        self._transport.resume_reading()
        self._rested()
        if not self._asked and not self._transport.is_closing():
            self._arrival = self._loop.create_future()
            await self._arrival

    def _close(self) -> None:
        self.is_busy = False
        self._is_ending = True
        self._transport.close()
        self._rested()


def _nothing() -> None:
    """Is called instead of what is gone."""
