"""Codes of tickets: signing what is scanned at the door, and verifying it without a network."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from google.protobuf.message import DecodeError

from boxoffice.bookings.v1.ticket_code_pb2 import TicketCode
from services.bookings.errors import InvalidTicketCode
from services.bookings.tickets.details import Period
from services.bookings.tickets.keys import TicketKey

VERSION = 1
SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Code:
    """What a code says: which seat of which event it admits to, and when."""

    event_id: int
    code_id: UUID
    seat_id: int | None
    period: Period


def sign(code: Code, key: TicketKey) -> str:
    """Returns a code as it is scanned. The same code and key give the same text."""
    message = TicketCode(
        version=VERSION,
        key_id=key.id,
        event_id=code.event_id,
        code_id=code.code_id.bytes,
        seat_id=code.seat_id or 0,
        not_before=_seconds(code.period.not_before),
        not_after=_seconds(code.period.not_after),
    )
    signed: bytes = message.SerializeToString(deterministic=True)
    signature = Ed25519PrivateKey.from_private_bytes(key.private_key).sign(signed)
    return _encoded(signed + signature)


def verify(text: str, public_keys: Mapping[int, bytes]) -> Code:
    """Returns what a code says; raises InvalidTicketCode unless one of the keys signed it.

    Every bit counts: another text of the same bytes is invalid, too.
    """
    raw = _decoded(text)
    signed, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    try:
        message = TicketCode.FromString(signed)
        public_key = Ed25519PublicKey.from_public_bytes(public_keys[message.key_id])
        public_key.verify(signature, signed)
    except (DecodeError, KeyError, InvalidSignature) as error:
        raise InvalidTicketCode from error
    if message.version != VERSION:
        raise InvalidTicketCode
    return Code(
        message.event_id,
        UUID(bytes=message.code_id),
        message.seat_id or None,
        Period(_moment(message.not_before), _moment(message.not_after)),
    )


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidTicketCode from error
    if _encoded(raw) != text:
        raise InvalidTicketCode
    return raw


def _seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment else 0


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
