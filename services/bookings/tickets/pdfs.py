"""Drawing tickets as PDF: a page for each seat, with its QR code."""

import logging
import re
import unicodedata
from collections.abc import Container
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import TTFFont

from services.bookings.tickets import qr_codes
from services.bookings.tickets.printed import PrintedSeat, PrintedTicket
from services.kit.rpc.money import in_words

MEDIA_TYPE = "application/pdf"
FONTS = Path(__file__).parent / "fonts"
FONT = "dejavu"
EUROPEAN = re.compile(
    "[\u0020-\u007e\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u0490\u0491\u2010-\u2027\u2030-\u205e"
    "\u20a0-\u20bf\u2116\u2122\u25a1]*"
)
"""Texts for which a font with a tenth of the characters is enough, which is read much faster."""
MISSING = "□"
"""Stands for a character that the font does not have."""

# Millimetres: half a sheet of A4.
WIDTH, HEIGHT, MARGIN = 148, 210, 12
QR_CODE, QR_CODE_TOP = 76, 104
REFERENCE_TOP = 186
LINE_HEIGHT = 0.45
"""Millimetres for each point of the font's size."""

# The library logs every table of a font that it leaves out.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def draw(ticket: PrintedTicket) -> bytes:
    """Draws a ticket. Equal tickets become equal bytes."""
    pdf = _Pdf(_font(ticket))
    pdf.set_creation_date(ticket.created_at)
    for number, seat in enumerate(ticket.seats, 1):
        pdf.add_page()
        _draw_event(pdf, ticket)
        _draw_seat(pdf, seat)
        pdf.set_y(REFERENCE_TOP)
        _write(pdf, f"Ticket {number} of {len(ticket.seats)}", size=9, lines=1)
        _write(pdf, f"Booking {ticket.reference}", size=9, lines=1)
        _write(pdf, _price(ticket), size=9, lines=1)
    return bytes(pdf.output())


class _Pdf(FPDF):
    """A PDF with the pages and the fonts of tickets."""

    def __init__(self, font: str) -> None:
        super().__init__(format=(WIDTH, HEIGHT))
        # The name of an event may have what stands for the number of pages otherwise.
        self.alias_nb_pages("")
        self.set_auto_page_break(auto=False)
        self.set_margin(MARGIN)
        self.add_font(FONT, fname=FONTS / f"{font}.ttf")
        self.add_font(FONT, style="B", fname=FONTS / f"{font}-Bold.ttf")

    def characters(self, style: str) -> Container[int]:
        """Returns the characters that a font has."""
        font = self.fonts[FONT + style]
        return font.cmap if isinstance(font, TTFFont) else ()


def _font(ticket: PrintedTicket) -> str:
    texts = (ticket.event_name, ticket.place.name, *(seat.name for seat in ticket.seats))
    is_european = all(EUROPEAN.fullmatch(unicodedata.normalize("NFC", text)) for text in texts)
    return "DejaVuSans-European" if is_european else "DejaVuSans"


def _draw_event(pdf: _Pdf, ticket: PrintedTicket) -> None:
    is_long = len(ticket.event_name) > 60
    _write(pdf, ticket.event_name, size=12 if is_long else 18, lines=7, style="B")
    pdf.ln(2)
    if ticket.place.starts_at:
        starts_at = ticket.place.local(ticket.place.starts_at)
        _write(pdf, f"{_moment(starts_at)} ({starts_at.tzinfo})", size=10, lines=1)
    _write(pdf, ticket.place.name, size=10, lines=3)


def _draw_seat(pdf: _Pdf, seat: PrintedSeat) -> None:
    pdf.ln(2)
    _write(pdf, seat.name, size=13, lines=2, style="B")
    modules = qr_codes.modules(seat.code)
    side = QR_CODE / len(modules)
    left = (WIDTH - QR_CODE) / 2
    for y, row in enumerate(modules):
        # A run of dark modules is one rectangle: no gaps between them, and a smaller file.
        for run in re.finditer(b"\x01+", row):
            x, count = run.start(), run.end() - run.start()
            pdf.rect(left + x * side, QR_CODE_TOP + y * side, count * side, side, style="F")


def _write(pdf: _Pdf, text: str, *, size: int, lines: int, style: str = "") -> None:
    """Writes a paragraph; whatever needs more lines is cut off."""
    pdf.set_font(FONT, style=style, size=size)
    height = size * LINE_HEIGHT
    text = _printable(text, pdf.characters(style))
    found = pdf.multi_cell(0, height, text, align="L", dry_run=True, output="LINES")
    if not text or not isinstance(found, list):
        return
    shown = found[:lines]
    if len(found) > lines:
        shown[-1] = f"{shown[-1][:-1]}…"
    for line in shown:
        pdf.cell(0, height, line, new_x="LMARGIN", new_y="NEXT")


def _printable(text: str, known: Container[int]) -> str:
    """Puts text on one line and replaces characters that the font does not have."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    visible = (each for each in composed if unicodedata.category(each) not in {"Cc", "Cf"})
    return "".join(each if ord(each) in known else MISSING for each in visible)


def _moment(moment: datetime) -> str:
    return f"{moment:%A, %-d %B %Y, %H:%M}"


def _price(ticket: PrintedTicket) -> str:
    price = in_words(ticket.price_amount_minor, ticket.price_currency)
    count = len(ticket.seats)
    return f"{price} for all {count} seats" if price and count > 1 else price
