"""Keyset pages (AIP-158): rows by descending number, and tokens bound to their list."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.kit.rpc.errors import InvalidPageToken

DEFAULT_SIZE = 50
FIRST = 2**63 - 1


class Row(Protocol):
    """A row of a list that is ordered by its number."""

    @property
    def id(self) -> int:
        """The number; newer rows have higher ones."""


RowT = TypeVar("RowT", bound=Row)

_TOKEN = struct.Struct(">q8s")


@dataclass(frozen=True, slots=True)
class Page:
    """At most `size` rows with a number below `before`; `scope` names the list and its filters."""

    size: int
    before: int
    scope: str

    @property
    def limit(self) -> int:
        """Rows to read: one more than shown reveals whether there is a next page."""
        return self.size + 1

    def token_after(self, number: int) -> str:
        """Returns the token of the page that starts after the row with this number."""
        token = _TOKEN.pack(number, _digest(self.scope))
        return base64.urlsafe_b64encode(token).decode().rstrip("=")


def parse(page_size: int, page_token: str, *, scope: str) -> Page:
    """Parses the paging fields of a request; raises InvalidPageToken for a token of another list.

    The contract limits the size of a page, so it was checked before.
    """
    size = page_size or DEFAULT_SIZE
    if not page_token:
        return Page(size, FIRST, scope)
    try:
        padding = "=" * (-len(page_token) % 4)
        token = base64.b64decode(page_token + padding, altchars=b"-_", validate=True)
        number, digest = _TOKEN.unpack(token)
    except (binascii.Error, ValueError, struct.error) as error:
        raise InvalidPageToken from error
    if digest != _digest(scope):
        raise InvalidPageToken
    return Page(size, number, scope)


def cut(rows: Sequence[RowT], page: Page) -> tuple[Sequence[RowT], str]:
    """Returns the rows of the page, and the token of the next page or ""."""
    if len(rows) <= page.size:
        return rows, ""
    shown = rows[: page.size]
    return shown, page.token_after(shown[-1].id)


def _digest(scope: str) -> bytes:
    return hashlib.sha256(scope.encode()).digest()[:8]
