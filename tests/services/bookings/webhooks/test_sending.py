import pytest

from services.bookings.webhooks.sending import SendError, is_public, open_sender
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
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2130706433",
    "0x7f000001",
    "127.1",
    "localhost",
]


@pytest.mark.parametrize("host", INSIDE)
def test_what_is_inside_is_not_public(host: str) -> None:
    """A webhook could reach the metadata of the cloud, the database, or this machine."""
    assert not is_public(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_outside_is_public(host: str) -> None:
    """No webhook would work."""
    assert is_public(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "localhost"])
async def test_no_spelling_of_an_address_inside_is_connected_to(host: str) -> None:
    """Some are resolved by the client, others by the system; both lead to a connection."""
    async with receiving() as inside, open_sender(public_only=True) as sender:
        with pytest.raises(SendError):
            await sender.post(inside.url.replace("127.0.0.1", host), {}, b"{}")
    assert inside.requests == []
