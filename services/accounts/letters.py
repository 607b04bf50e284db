"""What letters say: short plain text, and the same as HTML."""

import html
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

SIGNED = "Boxoffice"


@dataclass(frozen=True, slots=True)
class Text:
    """A subject and paragraphs; `code` is shown large between the first and the others."""

    subject: str
    paragraphs: tuple[str, ...]
    code: str | None = None

    @property
    def plain(self) -> str:
        """The letter as plain text."""
        first, *others = self.paragraphs
        code = [f"    {self.code}"] if self.code else []
        return "\n\n".join((first, *code, *others, SIGNED)) + "\n"

    @property
    def markup(self) -> str:
        """The letter as HTML."""
        first, *others = (f"<p>{html.escape(paragraph)}</p>" for paragraph in self.paragraphs)
        code = [f'<p style="font-size:200%"><b>{self.code}</b></p>'] if self.code else []
        return "\n".join((first, *code, *others, f"<p>{SIGNED}</p>")) + "\n"


def register_code(code: str) -> Text:
    """Brings the code that registers."""
    return Text(
        "Your code for Boxoffice",
        (
            "This code completes your registration. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything.",
        ),
        code,
    )


def already_registered() -> Text:
    """Tells the owner of an account what nobody else may know: that there is one."""
    return Text(
        "You have an account at Boxoffice",
        (
            "Somebody wanted to use this address for an account, and there is one already.",
            "If it was you: log in, or ask for a new password if you forgot yours.",
            "If not, you need not do anything.",
        ),
    )


def reset_code(code: str) -> Text:
    """Brings the code that sets a new password."""
    return Text(
        "Your code for a new password",
        (
            "This code sets a new password at Boxoffice. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything: your password stays.",
        ),
        code,
    )


def change_email_code(code: str) -> Text:
    """Brings the code that shows that a new address belongs to the account's owner."""
    return Text(
        "Your code for a new address",
        (
            "This code gives your account at Boxoffice this address. It is good for 10 minutes.",
            "If you did not ask for it, you need not do anything.",
        ),
        code,
    )


def password_changed() -> Text:
    """Warns of a new password, in case that it was not the owner who set it."""
    return Text(
        "Your password was changed",
        (
            "Your account at Boxoffice has a new password. Whoever was logged in no longer is.",
            "If that was not you, ask for a new password now.",
        ),
    )


def email_changed() -> Text:
    """Tells the former address that it is one no more."""
    return Text(
        "Your address was changed",
        (
            "Your account at Boxoffice has another address now. This letter is the last one here.",
            "If that was not you, somebody knows your password: get in touch with us.",
        ),
    )


def message(text: Text, *, sender: str, to: str) -> EmailMessage:
    """Makes the message that is sent."""
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
    return made
