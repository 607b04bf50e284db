from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from fontTools.ttLib import TTFont

from services.bookings.tickets.codes import verify
from services.bookings.tickets.pdfs import EUROPEAN, FONTS, draw
from tests.services.bookings.tickets.printing import PLACE, TICKET, printed
from tests.services.bookings.tickets.test_codes import PUBLIC

DOTS_PER_INCH = 100
"""A poor printer."""


def pages(data: bytes) -> list[str]:
    """Returns the text of each page of a PDF."""
    document = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_bounded() for page in document]


def scanned(data: bytes) -> list[str]:
    """Renders the pages of a PDF to images, and reads the one code of each."""
    document = pypdfium2.PdfDocument(data)
    images = [page.render(scale=DOTS_PER_INCH / 72).to_pil().convert("L") for page in document]
    codes = [zxingcpp.read_barcodes(image) for image in images]
    assert [len(found) for found in codes] == [1] * len(images)
    return [found.text for [found] in codes]


def test_a_scanner_reads_each_page_and_trusts_it() -> None:
    """A printed ticket could be unreadable, or a page show the code of another seat."""
    codes = [verify(text, PUBLIC) for text in scanned(draw(printed()))]
    assert [(code.code_id, code.seat_id) for code in codes] == list(
        zip(TICKET.code_ids, TICKET.seat_ids, strict=True)
    )


def test_a_page_says_where_to_sit_and_when() -> None:
    """A visitor could not find the seat, or come an hour late."""
    first, second = pages(draw(printed()))
    assert first.splitlines() == [
        "Concert",
        "Friday, 20 November 2026, 19:30 (Europe/Berlin)",
        "Roxy, Hall 1",
        "Section Stalls, Row A, Seat 3",
        "Ticket 1 of 2",
        f"Booking {TICKET.reference}",
        "EUR 18.00 for all 2 seats",
    ]
    assert "Seat 4\r\nTicket 2 of 2" in second


def test_a_free_place_without_a_time_has_a_page() -> None:
    """An event of which little is known could have no tickets, or one that shows `None`."""
    place = replace(PLACE, starts_at=None, venue="", room="")
    ticket = printed(
        place, plan_id=None, seat_ids=[None, None], price_amount_minor=None, price_currency=None
    )
    first, _ = pages(draw(ticket))
    assert first.splitlines() == ["Concert", "Ticket 1 of 2", f"Booking {TICKET.reference}"]


def test_names_of_any_script_are_shown() -> None:
    """Names could be garbled, vanish, or be taken for commands of the library."""
    shown, *_ = pages(draw(printed(event_name="Σίσυφος, Ёлка, Z\u0301ażółć {nb}\n**日**\u202e")))
    assert shown.splitlines()[0] == "Σίσυφος, Ёлка, Źażółć {nb} **□**"


def test_a_long_name_leaves_room_for_the_code() -> None:
    """A name of 200 wide letters could cover the code, or push it off the page."""
    place = replace(PLACE, venue="W" * 200, room="W" * 100)
    assert len(scanned(draw(printed(place, event_name="W" * 200)))) == 2


def test_equal_tickets_are_equal_files() -> None:
    """A client could load the same file again and again, as its tag would differ."""
    assert draw(printed()) == draw(printed())


@pytest.mark.parametrize("style", ["", "-Bold"])
def test_the_smaller_font_lacks_nothing_that_is_written_with_it(style: str) -> None:
    """A name could lose letters although the whole font has them."""
    whole, smaller = (
        TTFont(FONTS / f"{name}{style}.ttf").getBestCmap()
        for name in ("DejaVuSans", "DejaVuSans-European")
    )
    assert set(smaller) == {each for each in whole if EUROPEAN.fullmatch(chr(each))}
