import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.bookings.errors import InvalidTicketCode
from services.bookings.tickets.codes import Code, sign, verify
from services.bookings.tickets.details import Period
from services.bookings.tickets.keys import TicketKey

FAR = datetime(9999, 12, 31, tzinfo=UTC)
CODE = Code(2**62, UUID(int=2**128 - 1), 2**31 - 1, Period(FAR, FAR))


def new_key(key_id: int = 1) -> TicketKey:
    """Makes a key."""
    private = Ed25519PrivateKey.generate()
    return TicketKey(
        key_id, private.public_key().public_bytes_raw(), private.private_bytes_raw(), FAR
    )


KEY = new_key()
PUBLIC = {KEY.id: KEY.public_key}


@pytest.mark.parametrize("code", [CODE, Code(1, UUID(int=1), None, Period(None, None))])
def test_a_scanner_reads_what_was_signed(code: Code) -> None:
    """A scanner without a network could not tell seat or event, or a QR code be too fine."""
    text = sign(code, KEY)
    assert verify(text, PUBLIC) == code
    assert len(text) < 200


def test_each_bit_counts() -> None:
    """A forger could change the seat or the time of a code, or use one code as two."""
    text = sign(CODE, KEY).encode()
    raw = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    altered = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in flipped(raw)]
    for forged in {*altered, *flipped(text)}:
        with pytest.raises(InvalidTicketCode):
            verify(forged.decode("latin-1"), PUBLIC)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "é", "A" * 199, sign(CODE, KEY) + "="])
def test_text_that_is_no_code_is_invalid(text: str) -> None:
    """A scan of anything else could fail as a defect."""
    with pytest.raises(InvalidTicketCode):
        verify(text, PUBLIC)


def test_another_key_is_not_trusted() -> None:
    """Anybody with a key of their own could sign tickets under a number that is ours."""
    for forger in (new_key(KEY.id), new_key(2)):
        with pytest.raises(InvalidTicketCode):
            verify(sign(CODE, forger), PUBLIC)


def flipped(raw: bytes) -> list[bytes]:
    """Lists the texts that differ in one bit."""
    return [
        (int.from_bytes(raw, "big") ^ (1 << bit)).to_bytes(len(raw), "big")
        for bit in range(8 * len(raw))
    ]
