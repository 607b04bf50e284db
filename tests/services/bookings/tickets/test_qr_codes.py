import io

import pytest
import zxingcpp
from PIL import Image

from services.bookings.tickets.codes import sign, verify
from services.bookings.tickets.qr_codes import PNG, SVG, draw
from tests.services.bookings.tickets.test_codes import CODE, KEY, PUBLIC

TEXT = sign(CODE, KEY)
VERSION_10_MODULES = 57


def test_a_scanner_reads_a_png_and_trusts_it() -> None:
    """A printed code could be unreadable, or finer than cheap scanners can see."""
    image = Image.open(io.BytesIO(draw(TEXT, PNG).data))
    [found] = zxingcpp.read_barcodes(image.convert("L"))
    assert verify(found.text, PUBLIC) == CODE
    assert image.width / 8 - 2 * 4 <= VERSION_10_MODULES


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", SVG),
        ("*/*", SVG),
        ("image/*", SVG),
        (PNG, PNG),
        ("image/svg+xml, image/png", SVG),
        ("image/png, image/svg+xml;q=0.9", PNG),
        ("image/png;q=0.5, image/svg+xml", SVG),
        ("image/webp", SVG),
    ],
)
def test_a_client_gets_the_type_that_it_prefers(accept: str, media_type: str) -> None:
    """A printer that cannot draw SVG could get one."""
    assert draw(TEXT, accept).media_type == media_type


def test_an_image_has_a_tag_of_its_own() -> None:
    """A cache could show the code of another seat, or one type for the other."""
    images = [draw(TEXT, SVG), draw(TEXT, PNG), draw(TEXT[:-1], SVG)]
    assert len({image.entity_tag for image in images}) == 3
    assert draw(TEXT, SVG) == images[0]
    assert images[0].data.rstrip().endswith(b"</svg>")
