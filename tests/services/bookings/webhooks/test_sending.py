import asyncio
import socket
import threading
from typing import Any

import pytest

from services.bookings.webhooks.sending import (
    MOST_BYTES,
    RESOLVING,
    Resolver,
    SendError,
    is_public,
    open_sender,
)
from tests.services.bookings.webhooks.receiver import receiving

INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "fec0::1",
    "3fff::1",
    "4000::1",
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "240.0.0.1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2130706433",
    "0x7f000001",
    "127.1",
    "localhost",
]


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_inside_is_not_public(host: str) -> None:
    """A webhook could reach the metadata of the cloud, the database, or this machine."""
    assert not is_public(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_outside_is_public(host: str) -> None:
    """No webhook would work."""
    assert is_public(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "localhost"])
async def test_no_spelling_of_an_address_inside_is_connected_to(host: str) -> None:
    """Some are resolved by the client, others by the system; both lead to a connection."""
    async with receiving() as inside, open_sender(public_only=True) as sender:
        with pytest.raises(SendError):
            await sender.post(inside.url.replace("127.0.0.1", host), {}, b"{}")
    assert inside.requests == []


async def test_of_a_response_without_an_end_a_part_is_read() -> None:
    """A receiver could fill our memory, or hold a worker for as long as it likes."""
    async with receiving(is_endless=True) as receiver, open_sender(public_only=False) as sender:
        assert await sender.post(receiver.url, {}, b"{}") == 200
        await receiver.has_ended.wait()
    assert receiver.sent_bytes > MOST_BYTES


async def test_slow_name_servers_leave_the_common_threads_alone() -> None:
    """A webhook with a slow name server could stop the drawing of seat maps and QR codes."""
    has_begun, is_over = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def lookup(*_: Any) -> list[Any]:
        loop.call_soon_threadsafe(has_begun.set)
        is_over.wait()
        return []

    resolver = Resolver(lookup)
    waiting = [asyncio.create_task(resolver.resolve("slow.example")) for _ in range(2 * RESOLVING)]
    try:
        async with asyncio.timeout(30):
            await has_begun.wait()
            await asyncio.to_thread(int)
    finally:
        is_over.set()
        assert await asyncio.gather(*waiting) == [[]] * len(waiting)
        await resolver.close()


async def test_a_name_is_resolved_to_all_its_addresses() -> None:
    """A receiver that one of its addresses does not reach would get nothing."""

    def lookup(*_: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1", 443, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443)),
        ]

    resolver = Resolver(lookup)
    found = await resolver.resolve("two.example", 443)
    await resolver.close()
    assert [(each["host"], each["port"]) for each in found] == [
        ("2606:4700::1", 443),
        ("8.8.8.8", 443),
    ]
