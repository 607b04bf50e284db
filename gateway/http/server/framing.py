"""Splits received bytes so that every request begins a piece of its own.

The parser rejects unknown methods, and does not report where it stopped. So unknown methods are
replaced before it sees them. For that it must be known where each request begins: after a blank
line, or after a body of known length.
"""

import re
from collections.abc import Iterator

KNOWN = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
"""Methods that are routed."""
NEVER_ROUTED = b"TRACE "
"""Replaces every other method, so that the parser accepts it and routing answers 405."""

_BLANK_LINE = b"\r\n\r\n"
_BLANK_LINES = re.compile(rb"[\r\n]+")
_METHOD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ")
_BEGINNING = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")


class RequestSplitter:
    """Splits the bytes of one connection.

    Its user updates `is_between` (the next byte begins a request) and `body_left` (the bytes of the
    body that are still to come) after each piece. `method` is the last one that was replaced.
    """

    __slots__ = ("_held", "_tail", "body_left", "is_between", "method")

    def __init__(self) -> None:
        self._held = b""
        self._tail = b""
        self.body_left = 0
        self.is_between = True
        self.method = b""

    @property
    def has_begun(self) -> bool:
        """Whether an incomplete method is held back until the rest arrives."""
        return bool(self._held)

    def split(self, data: bytes) -> Iterator[bytes]:
        """Yields pieces that end where a head, a body or the data ends."""
        data, self._held = self._held + data, b""
        start, size = 0, len(data)
        while start < size:
            if self.is_between and not data.startswith(KNOWN, start):
                if found := _BLANK_LINES.match(data, start):
                    start = found.end()
                    continue
                if found := _METHOD.match(data, start):
                    self.method = found[1]
                    yield NEVER_ROUTED
                    start = found.end()
                    continue
                if _BEGINNING.fullmatch(data, start):
                    self._held = data[start:]
                    return
            end = self._end(data, start)
            yield data[start:end]
            start = end

    def _end(self, data: bytes, start: int) -> int:
        """Returns the end of the piece that begins at `start`."""
        if self.body_left:
            end = min(len(data), start + self.body_left)
            self.body_left -= end - start
            return end
        tail, self._tail = self._tail, b""
        if tail:
            # The blank line may be split over two pieces.
            found = (tail + data[start : start + 3]).find(_BLANK_LINE)
            if found >= 0:
                return start + found + len(_BLANK_LINE) - len(tail)
        found = data.find(_BLANK_LINE, start)
        if found >= 0:
            return found + len(_BLANK_LINE)
        self._tail = (tail + data[max(start, len(data) - 3) :])[-3:]
        return len(data)
