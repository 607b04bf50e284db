"""Places in the feed, and the cursors that stand for them."""

import base64
import binascii
import struct
from typing import NamedTuple, Self

from services.kit.rpc.errors import InvalidPageToken

WHOLE = 2**63 - 1
"""A revision after all those of a span."""

_TOKEN = struct.Struct(">Bqq")
_VERSION = 1


class Cursor(NamedTuple):
    """A place in the feed: after a revision within the span at a position."""

    position: int
    rev: int = WHOLE

    @classmethod
    def parse(cls, token: str) -> Self:
        """Parses a cursor; "" is the beginning of the feed. Raises InvalidPageToken."""
        if not token:
            return cls(0)
        try:
            padding = "=" * (-len(token) % 4)
            written = base64.b64decode(token + padding, altchars=b"-_", validate=True)
            version, position, rev = _TOKEN.unpack(written)
        except (binascii.Error, ValueError, struct.error) as error:
            raise InvalidPageToken from error
        if version != _VERSION or position < 0 or rev < 0:
            raise InvalidPageToken
        return cls(position, rev)

    def __str__(self) -> str:
        token = _TOKEN.pack(_VERSION, self.position, self.rev)
        return base64.urlsafe_b64encode(token).decode().rstrip("=")
