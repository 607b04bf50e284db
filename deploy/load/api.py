"""What the load test asks the system besides the load: its event, its bookings, its seats."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from yarl import URL

from deploy.load.errors import NotAllowedError, RefusedError, UnreachableError
from deploy.load.target import Target

TIMEOUT_SECONDS = 30
PATIENCE = 20
"""How often a request is repeated that was not answered or not done, at most."""
PAUSE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 60
PAGE_SIZE = 200
MOST_BOOKINGS = 500_000
"""Bookings of an event that are read at most."""
CONNECT_SECONDS = 5
LONGEST_LINE = 2**20
"""Of a stream, in bytes; the state of all seats is one line."""


@dataclass(frozen=True, slots=True)
class Availability:
    """The seats of an event, at a revision of its inventory."""

    total: int
    booked: int
    left: int
    revision: int


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the system lists it."""

    id: int
    user_id: str
    status: str
    seat_count: int
    seat_ids: Sequence[int]

    @property
    def is_live(self) -> bool:
        """Whether it has seats."""
        return self.status in {"HELD", "CONFIRMED"}


class Api:
    """Sends the requests one after the other, and repeats those that were not answered.

    All methods raise UnreachableError, NotAllowedError and RefusedError.
    """

    def __init__(
        self, target: Target, session: aiohttp.ClientSession, pause_seconds: float
    ) -> None:
        self._target = target
        self._session = session
        self._pause_seconds = pause_seconds

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, target: Target, token: str = "", *, pause_seconds: float = PAUSE_SECONDS
    ) -> AsyncIterator[Self]:
        """Opens connections for the block."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, read_bufsize=LONGEST_LINE
        ) as session:
            yield cls(target, session, pause_seconds)

    async def check_health(self) -> None:
        """Asks once whether a gateway is there. Raises UnreachableError."""
        url = f"{self._target.url}/health"
        try:
            async with self._session.get(url) as response:
                found = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(self._target.url, str(error) or "no response in time") from error
        if response.status != 200 or "ok" not in found:
            raise UnreachableError(self._target.url, f"/health is {response.status}: {found[:100]}")

    async def create_event(self, name: str, fields: Mapping[str, Any], key: str) -> int:
        """Creates an event that costs nothing unless `fields` has a price; returns its number."""
        headers = {"Idempotency-Key": key}
        body = {"name": name, **fields}
        created = await self._ask(
            "POST", "/events", "creating an event", json=body, headers=headers
        )
        return int(created[0]["id"])

    async def delete_event(self, event_id: int) -> None:
        """Deletes an event, which cancels its bookings."""
        await self._ask("DELETE", f"/events/{event_id}", "deleting the event")

    async def find_room(self) -> int | None:
        """Returns the number of the smallest room that has seats; None if there is none."""
        theaters, _, _ = await self._ask("GET", "/api/theaters", "listing theaters")
        rooms = [room for theater in theaters for room in theater["rooms"] if room["capacity"]]
        return min(((room["capacity"], room["id"]) for room in rooms), default=(0, None))[1]

    async def event(self, event_id: int) -> Mapping[str, Any]:
        """Reads an event."""
        found, _, _ = await self._ask("GET", f"/events/{event_id}", f"event {event_id}")
        return dict(found)

    async def availability(self, event_id: int) -> Availability:
        """Counts the seats of an event."""
        path = f"/api/events/{event_id}/availability"
        found, headers, _ = await self._ask("GET", path, f"the availability of event {event_id}")
        revision = int(headers.get("X-Inventory-Revision", 0))
        return Availability(found["total_seats"], found["booked"], found["left"], revision)

    async def bookings(self, event_id: int) -> Sequence[Booking]:
        """Lists all bookings of an event that the caller may see."""
        what = f"listing the bookings of event {event_id}"
        path: str | None = f"/api/bookings/event/{event_id}?page_size={PAGE_SIZE}"
        found: list[Booking] = []
        while path is not None:
            page, _, path = await self._ask("GET", path, what)
            found += map(_booking, page)
            if len(found) > MOST_BOOKINGS:
                raise RefusedError(what, 200, f"it has more than {MOST_BOOKINGS}")
        return found

    @contextlib.asynccontextmanager
    async def stream(
        self, event_id: int, after_revision: int
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Opens the live updates of an event. Raises aiohttp.ClientError too."""
        url = f"{self._target.url}/api/events/{event_id}/stream"
        headers = {"Last-Event-ID": f"{after_revision}"} if after_revision else {}
        timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS)
        async with self._session.get(url, headers=headers, timeout=timeout) as response:
            response.raise_for_status()
            yield response.content

    async def _ask(
        self, method: str, path: str, what: str, **more: Any
    ) -> tuple[Any, Mapping[str, str], str | None]:
        """Returns the JSON, the headers, and the path of the next page."""
        reason: object = "no response in time"
        for _ in range(PATIENCE):
            pause = self._pause_seconds
            try:
                async with self._session.request(
                    method, self._target.url + path, **more
                ) as response:
                    if response.status not in {429, 503, 504}:
                        return await self._read(response, what)
                    reason = f"{what} is {response.status}"
                    pause = min(_retry_after(response) or pause, LONGEST_PAUSE_SECONDS)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = str(error) or reason
            await asyncio.sleep(pause)  # as the response asks for
        raise UnreachableError(self._target.url, reason)

    async def _read(
        self, response: aiohttp.ClientResponse, what: str
    ) -> tuple[Any, Mapping[str, str], str | None]:
        text = await response.text()
        if response.status in {401, 403}:
            raise NotAllowedError(what, text)
        if response.status >= 400:
            raise RefusedError(what, response.status, text)
        try:
            body = await response.json()
        except (ValueError, aiohttp.ContentTypeError) as error:
            raise RefusedError(what, response.status, text) from error
        return body, response.headers, self._following(response)

    def _following(self, response: aiohttp.ClientResponse) -> str | None:
        """Returns the path of the next page, without the prefix of the target."""
        for link in response.links.getall("next", []):
            return URL(link["url"]).raw_path_qs.removeprefix(self._target.prefix)
        return None


def _retry_after(response: aiohttp.ClientResponse) -> int:
    value = response.headers.get("Retry-After", "")
    return int(value) if value.isdigit() else 0


def _booking(found: Mapping[str, Any]) -> Booking:
    return Booking(
        found["id"], found["user_id"], found["status"], found["seat_count"], found["seat_ids"]
    )
