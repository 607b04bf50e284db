"""Pages as packets of Socket.IO, and the packets that Engine.IO sends."""

from collections.abc import Callable, Mapping

from engineio.packet import MESSAGE, Packet

from gateway.live.pages import Page

NAMESPACES = ("/", "/seats")
_EVENT = "2"


class PagePacket(Packet):  # type: ignore[misc]  # the library has no types
    """An event that is encoded already. `on_sent` is called when Engine.IO writes it."""

    def __init__(self, text: str, on_sent: Callable[[], None]) -> None:
        self.packet_type = MESSAGE
        self.data = text
        self.binary = False
        self._on_sent = on_sent

    def encode(self, b64: bool = False) -> str:
        """Returns the packet as it is sent."""
        self._on_sent()
        return f"{MESSAGE}{self.data}"


def _encoder(namespace: str) -> Callable[[Page], list[str]]:
    prefix = "" if namespace == "/" else f"{namespace},"

    def encode(page: Page) -> list[str]:
        return [f'{_EVENT}{prefix}["{event.name}",{event.data.decode()}]' for event in page.events]

    return encode


ENCODERS: Mapping[str, Callable[[Page], list[str]]] = {
    namespace: _encoder(namespace) for namespace in NAMESPACES
}
"""How the events of a page are written, by the namespace of the client."""
