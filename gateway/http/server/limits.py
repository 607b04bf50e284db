"""Limits of size and time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a connection, its requests and its responses.

    After a refusal a client has `linger_seconds` to read it. A body has at most `body_bytes`,
    unless its route takes larger ones: those may arrive at `large_body_bytes_per_second`, and all
    of them together take at most `large_bodies_bytes`. One address may have `address_connections`
    of the `connections`. `spare_connections` come on top, for vital routes, and so do the
    connections of `streams`. A client has `write_seconds` to read a response, and
    `stream_write_seconds` to go on reading a stream.
    """

    url_bytes: int = 8 * 1024
    header_bytes: int = 16 * 1024
    header_count: int = 100
    body_bytes: int = 64 * 1024
    head_seconds: float = 5.0
    body_seconds: float = 10.0
    large_bodies_bytes: int = 64 * 1024 * 1024
    large_body_bytes_per_second: int = 256 * 1024
    write_seconds: float = 10.0
    stream_write_seconds: float = 30.0
    idle_seconds: int = 30
    linger_seconds: float = 1.0
    connections: int = 10_000
    address_connections: int = 2_500
    spare_connections: int = 32
    streams: int = 10_000

    @property
    def head_bytes(self) -> int:
        """Bytes within which a request's head must be complete."""
        return self.url_bytes + self.header_bytes + 4 * self.header_count


LIMITS = Limits()
