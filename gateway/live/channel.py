"""A channel: one event, its last pages, and the clients that watch it.

A client is the number of its next page and not a queue. One that reads slowly is passed over, and
gets the pages that it missed later, or all seats if the channel has dropped those pages.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Protocol

from boxoffice.bookings.v1 import live_pb2
from gateway.live.events import Event, History, Layout, Step, is_shown, seat_event, status_event
from gateway.live.pages import Page
from gateway.live.seats import Seats

MOST_PAGES = 256


class Watcher(Protocol):
    """A client that watches an event."""

    @property
    def is_full(self) -> bool:
        """Whether nothing should be written now."""

    def write(self, page: Page) -> None:
        """Writes a page."""

    def end(self) -> None:
        """Ends the watch, as there is nothing more to come."""


class Channel:
    """One event, from its first snapshot on.

    What arrives is kept until `turn_page`: only then the seats change, together with the pages, so
    that a client never gets something twice.
    """

    def __init__(self, event_id: int, snapshot: live_pb2.SeatSnapshot, layout: Layout) -> None:
        self.event_id = event_id
        self.seats = Seats(snapshot)
        self._layout = layout
        self._history: History | None = History(snapshot, event_id)
        self._known_since = self._history.begins_at
        self._shown_up_to = self._history.shown_up_to
        self._news: list[tuple[live_pb2.WatchEventResponse, Layout]] = []
        self._pages: deque[Page] = deque()
        self._page_count = 0
        self._status: Page | None = None
        self._watchers: dict[Watcher, int] = {}
        self.has_ended = False

    @property
    def watchers(self) -> Sequence[Watcher]:
        """The clients, in the order of their arrival."""
        return tuple(self._watchers)

    def receive(self, response: live_pb2.WatchEventResponse, layout: Layout) -> None:
        """Keeps what arrived for the next page; the layout is that of a snapshot."""
        self._news.append((response, layout))

    def turn_page(self) -> None:
        """Makes a page of what has arrived."""
        if not self._news:
            return
        news, self._news = self._news, []
        events = list(self._events(news))
        self._status = None
        if events:
            self._add(Page(events, self.seats.revision))

    def beat(self) -> None:
        """Adds a page without events, for clients that should see that the stream goes on."""
        self._add(Page((), self.seats.revision))

    def join(self, watcher: Watcher, after: int) -> None:
        """Adds a client that has revision `after`, or nothing if it is 0."""
        if self.has_ended:
            watcher.end()
            return
        events = self._events_after(after)
        page = self._all_seats() if events is None else Page(events, self.seats.revision)
        watcher.write(page)
        self._watchers[watcher] = self._page_count

    def leave(self, watcher: Watcher) -> None:
        """Removes a client; does nothing the second time."""
        self._watchers.pop(watcher, None)

    def end(self) -> None:
        """Ends the watch of every client."""
        self.has_ended = True
        for watcher in self.watchers:
            watcher.end()

    def catch_up(self, watcher: Watcher) -> None:
        """Writes the pages that a client lacks, until it is full."""
        page = self._watchers.get(watcher)
        if page is None or page == self._page_count:
            return
        oldest = self._page_count - len(self._pages)
        while page < self._page_count and not watcher.is_full:
            if page < oldest:
                watcher.write(self._all_seats())
                page = self._page_count
            else:
                watcher.write(self._pages[page - oldest])
                page += 1
        self._watchers[watcher] = page

    def _add(self, page: Page) -> None:
        self._pages.append(page)
        self._page_count += 1
        if len(self._pages) > MOST_PAGES:
            self._known_since = self._pages.popleft().revision
            self._history = None

    def _events(
        self, news: Sequence[tuple[live_pb2.WatchEventResponse, Layout]]
    ) -> Iterator[Event]:
        """Brings the seats up to date, and yields what clients see of that."""
        changes: list[live_pb2.SeatChange] = []
        for response, layout in news:
            changes.extend(response.changes)
            if response.HasField("snapshot"):
                yield from self._merged(changes)
                changes = []
                self.seats, self._layout = Seats(response.snapshot), layout
                self._shown_up_to = self.seats.revision
                yield status_event(self.seats, self.event_id, layout)
        yield from self._merged(changes)

    def _merged(self, changes: Sequence[live_pb2.SeatChange]) -> Iterator[Event]:
        """Applies changes, and yields an event for each run of one kind."""
        for _, run in groupby(self._applied(changes), key=lambda step: step.change.kind):
            event = seat_event(self.event_id, self._shown_up_to, list(run))
            self._shown_up_to = event.revision
            yield event

    def _applied(self, changes: Sequence[live_pb2.SeatChange]) -> Iterator[Step]:
        """Applies changes, and yields those that clients can see."""
        for change in changes:
            if change.revision > self.seats.revision:
                self.seats.apply(change)
                if is_shown(change):
                    yield Step(change, self.seats.left)

    def _events_after(self, revision: int) -> list[Event] | None:
        """Lists what a client lacks; None if that is not known any more, or not yet."""
        if not self._known_since <= revision <= self.seats.revision or not revision:
            return None
        history = self._history.events if self._history is not None else ()
        pages = (page for page in self._pages if page.revision >= revision)
        return [
            event
            for event in chain(history, *(page.events for page in pages))
            # A status may change without a new revision.
            if event.revision > revision or (event.has_all and event.revision == revision)
        ]

    def _all_seats(self) -> Page:
        if self._status is None:
            event = status_event(self.seats, self.event_id, self._layout)
            self._status = Page((event,), event.revision)
        return self._status
