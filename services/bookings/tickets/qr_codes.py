"""Drawing codes of tickets as QR codes."""

import io
import re
from collections.abc import Sequence

import segno

from services.bookings.tickets.printed import Document

SVG, PNG = "image/svg+xml", "image/png"
LEVEL = "m"
"""Restores 15 % of a code that is scratched or wet; a finer code is harder to scan."""
PNG_SCALE = 8
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


def draw(code: str, accept: str) -> Document:
    """Draws a code: as PNG for clients that prefer it to SVG."""
    media_type = PNG if _quality(PNG, accept) > _quality(SVG, accept) else SVG
    qr_code, output = _made(code), io.BytesIO()
    if media_type == PNG:
        qr_code.save(output, kind="png", scale=PNG_SCALE)
    else:
        qr_code.save(output, kind="svg", scale=PNG_SCALE, light="white")
    return Document.of(media_type, output.getvalue())


def modules(code: str) -> Sequence[bytes]:
    """Returns the rows of a QR code without its border: a byte for each module, 1 if it is dark."""
    return [bytes(row) for row in _made(code).matrix]


def _made(code: str) -> segno.QRCode:
    return segno.make(code, error=LEVEL, boost_error=False, micro=False)


def _quality(media_type: str, accept: str) -> float:
    """Returns how much a client likes a type that it names; 0 for one that it does not name."""
    for item in accept.lower().split(","):
        name, _, parameters = item.partition(";")
        if name.strip() == media_type:
            quality = _QUALITY.search(parameters)
            return float(quality[1]) if quality else 1.0
    return 0.0
