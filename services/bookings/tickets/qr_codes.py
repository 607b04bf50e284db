"""Drawing codes of tickets as QR codes."""

import hashlib
import io
import re
from typing import NamedTuple

import segno

SVG, PNG = "image/svg+xml", "image/png"
LEVEL = "m"
"""Restores 15 % of a code that is scratched or wet; a finer code is harder to scan."""
PNG_SCALE = 8
_QUALITY = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")


class Image(NamedTuple):
    """An image, and a tag that differs if the image does."""

    media_type: str
    data: bytes
    entity_tag: str


def draw(code: str, accept: str) -> Image:
    """Draws a code: as PNG for clients that prefer it to SVG."""
    media_type = PNG if _quality(PNG, accept) > _quality(SVG, accept) else SVG
    qr_code, output = segno.make(code, error=LEVEL, boost_error=False, micro=False), io.BytesIO()
    if media_type == PNG:
        qr_code.save(output, kind="png", scale=PNG_SCALE)
    else:
        qr_code.save(output, kind="svg", scale=PNG_SCALE, light="white")
    digest = hashlib.sha256(output.getvalue()).hexdigest()
    return Image(media_type, output.getvalue(), digest[:32])


def _quality(media_type: str, accept: str) -> float:
    """Returns how much a client likes a type that it names; 0 for one that it does not name."""
    for item in accept.lower().split(","):
        name, _, parameters = item.partition(";")
        if name.strip() == media_type:
            quality = _QUALITY.search(parameters)
            return float(quality[1]) if quality else 1.0
    return 0.0
