"""Bodies that a service streams as messages."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.codec.raw import BodyOf
from gateway.http.messages import Outlet


class MessageStream(Protocol):
    """The messages of a streaming RPC; `first` is None if there are none."""

    first: Any

    def __aiter__(self) -> AsyncIterator[Any]:
        """Yields the messages, from the first one on; ends early after `close`."""

    def close(self) -> None:
        """Cancels the RPC unless it has ended."""


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """The bytes of a stream; see BodyStream."""

    messages: MessageStream
    body_of: BodyOf
    is_chunked: bool = True

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""
        async for message in self.messages:
            await outlet.send_part(self.body_of(message).data)

    def close(self) -> None:
        """See BodyStream."""
        self.messages.close()
