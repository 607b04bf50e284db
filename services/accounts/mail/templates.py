"""The texts of e-mails: short plain text, and the same as HTML."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.accounts.outbox.notices import Attachment, Notice

SIGNED = "Boxoffice"


@dataclass(frozen=True, slots=True)
class EmailText:
    """A subject and paragraphs, and files.

    `code` is shown large between the first and the others.
    """

    subject: str
    paragraphs: tuple[str, ...]
    code: str | None = None
    files: Sequence[Attachment] = ()

    @property
    def plain(self) -> str:
        """The e-mail as plain text."""
        first, *others = self.paragraphs
        code = [f"    {self.code}"] if self.code else []
        return "\n\n".join((first, *code, *others, SIGNED)) + "\n"

    @property
    def markup(self) -> str:
        """The e-mail as HTML."""
        first, *others = (f"<p>{html.escape(paragraph)}</p>" for paragraph in self.paragraphs)
        code = [f'<p style="font-size:200%"><b>{self.code}</b></p>'] if self.code else []
        return "\n".join((first, *code, *others, f"<p>{SIGNED}</p>")) + "\n"


def register_code(code: str) -> EmailText:
    """Contains the code that completes a registration."""
    return EmailText(
        "Your code for Boxoffice",
        (
            "This code completes your registration. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything.",
        ),
        code,
    )


def already_registered() -> EmailText:
    """Writes to the owner of an address that it has an account; nobody else may know."""
    return EmailText(
        "You have an account at Boxoffice",
        (
            "Somebody wanted to use this address for an account, and there is one already.",
            "If it was you: log in, or ask for a new password if you forgot yours.",
            "If not, you need not do anything.",
        ),
    )


def reset_code(code: str) -> EmailText:
    """Contains the code that sets a new password."""
    return EmailText(
        "Your code for a new password",
        (
            "This code sets a new password at Boxoffice. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything: your password stays.",
        ),
        code,
    )


def change_email_code(code: str) -> EmailText:
    """Contains the code that proves that a new address belongs to the account's owner."""
    return EmailText(
        "Your code for a new address",
        (
            "This code gives your account at Boxoffice this address. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything.",
        ),
        code,
    )


def password_changed() -> EmailText:
    """Warns of a new password, in case somebody else set it."""
    return EmailText(
        "Your password was changed",
        (
            "Your account at Boxoffice has a new password. Whoever was logged in no longer is.",
            "If that was not you, ask for a new password now.",
        ),
    )


def email_changed() -> EmailText:
    """Writes to the former address that the account has another one now."""
    return EmailText(
        "Your address was changed",
        (
            "Your account at Boxoffice has another address now. This letter is the last one here.",
            "If that was not you, somebody knows your password: get in touch with us.",
        ),
    )


def notice(about: Notice) -> EmailText:
    """Writes what a notice is about."""
    if about.kind == "TICKET":
        return _ticket(about)
    return _webhook_disabled(about) if about.webhook_url else _seats_found(about)


def one_line(text: str) -> str:
    """Puts users' text on one line, without characters that change how the rest is shown."""
    return " ".join(_UNFIT.sub(" ", text).split())


def message(text: EmailText, *, sender: str, to: str) -> EmailMessage:
    """Returns the message to send."""
    made = EmailMessage()
    made["Subject"] = text.subject
    made["From"] = sender
    made["To"] = to
    made["Date"] = formatdate(usegmt=True)
    made["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">"))
    # No autoresponder should answer (RFC 3834).
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text.plain)
    made.add_alternative(text.markup, subtype="html")
    for file in text.files:
        maintype, _, subtype = file.media_type.partition("/")
        made.add_attachment(
            file.content,
            maintype=maintype,
            subtype=subtype,
            filename=file.name,
            params={"charset": "utf-8"} if maintype == "text" else None,
        )
    return made


def _seats_found(about: Notice) -> EmailText:
    """Writes to a person on a waiting list that there are seats."""
    event, seats, starts = one_line(about.event_name), _seats(about), _starts(about)
    booking = f"Your booking is {one_line(about.reference)}."
    if about.kind == "PROMOTED":
        return EmailText(
            f"You have a seat: {event}",
            (
                f"You are off the waiting list for “{event}”: {seats} booked for you.",
                *starts,
                booking,
                "If you cannot come, cancel it, and somebody else who waits gets your place.",
            ),
        )
    until = f" until {_moment(about.offer_expires_at)}" if about.offer_expires_at else ""
    return EmailText(
        f"A seat is kept for you: {event}",
        (
            f"You are first on the waiting list for “{event}”: {seats} kept for you{until}.",
            *starts,
            f"{booking} Pay for it by then, or somebody else who waits gets it.",
        ),
    )


def _ticket(about: Notice) -> EmailText:
    """Writes to the user of a valid ticket, and attaches its documents."""
    event = one_line(about.event_name)
    return EmailText(
        f"Your ticket: {event}",
        (
            f"You have a ticket for “{event}”: {_seats(about)}.",
            *_starts(about),
            "The ticket is attached. Show the code of each seat at the door, on paper or a phone.",
            "Whoever has a code can come with it, so do not show it to anybody else.",
            f"Your booking is {one_line(about.reference)}.",
        ),
        files=about.attachments,
    )


def _seats(about: Notice) -> str:
    return "1 seat" if about.seat_count == 1 else f"{about.seat_count} seats"


def _starts(about: Notice) -> Sequence[str]:
    if about.starts_at is None:
        return []
    return [f"The event starts on {_moment(about.starts_at, about.time_zone)}."]


def _webhook_disabled(about: Notice) -> EmailText:
    """Writes to an organizer that a webhook gets no more changes, and how it gets them again."""
    why = (
        "its receiver answered 410, which means that it is gone"
        if about.kind == "WEBHOOK_GONE"
        else "all attempts to deliver have failed for three days"
    )
    path = f"/api/webhooks/{one_line(about.reference)}"
    return EmailText(
        "Your webhook was disabled",
        (
            f"Your webhook {one_line(about.webhook_url)} gets no more changes: {why}.",
            f"GET {path}/deliveries lists the last attempts.",
            f'Once its receiver works, enable it again: PATCH {path} {{"status": "ENABLED"}}.',
            "It then gets all that it missed in the last 30 days.",
            "If you do not need it any more, delete it.",
        ),
    )


def _moment(moment: datetime, time_zone: str = "") -> str:
    """Writes a time in a zone; in UTC if this process does not know it, or near the year 9999."""
    try:
        local = moment.astimezone(ZoneInfo(time_zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        local = moment.astimezone(ZoneInfo("UTC"))
    return f"{local:%-d %B %Y at %H:%M} {local.tzinfo}"


# Control characters, line separators, and characters that reverse the writing direction.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
