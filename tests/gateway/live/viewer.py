"""A client that follows the documented rule, and fails where it would have to reconnect."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.live.event_stream import encode
from gateway.live.pages import Page

_EVENT = re.compile(rb"event: (\w+)\nid: (\d+)\ndata: (.+)")


@dataclass(eq=False)
class Viewer:
    """What a page has on its screen. `statuses` are how often it got all seats.

    It is a Watcher, too: one that is full whenever the test says so.
    """

    is_full: bool = False
    has_ended: bool = False
    revision: int = 0
    left: int = 0
    status: str = ""
    statuses: int = 0
    taken: dict[int, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def write(self, page: Page) -> None:
        """See Watcher."""
        assert not self.is_full
        self.read(page.encoded(encode))

    def end(self) -> None:
        """See Watcher."""
        self.has_ended = True

    def read(self, sse: bytes) -> None:
        """Applies whole Server-Sent Events."""
        for block in sse.split(b"\n\n"):
            if found := _EVENT.fullmatch(block):
                name, revision, data = found[1].decode(), int(found[2]), orjson.loads(found[3])
                assert revision == data["revision"]
                self._apply(name, data)

    def _apply(self, name: str, data: dict[str, Any]) -> None:
        self.events.append(data)
        if name == "seat_status_update":
            self._replace(data)
            return
        assert data["after_revision"] <= self.revision, "a gap"
        assert data["revision"] > self.revision, "twice"
        self.revision, self.left = data["revision"], data["left"]
        for seat in data["seat_ids"]:
            if name == "seat_released":
                self.taken.pop(seat, None)
            else:
                self.taken[seat] = data["status"]

    def _replace(self, data: dict[str, Any]) -> None:
        self.statuses += 1
        self.revision, self.left, self.status = data["revision"], data["left"], data["status"]
        self.taken = {
            seat: status
            for status in ("HELD", "SOLD", "BLOCKED")
            for seat in bits(base64.b64decode(data[status.lower()]))
        }


def bits(bitmap: bytes) -> list[int]:
    """Returns the ids of the seats that are in a bitmap."""
    return [
        8 * at + bit + 1 for at, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1
    ]
