"""E-mail addresses: which are accepted, and which are the same one."""

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from services.kit.rpc.errors import ValidationFailed, Violation


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is spelled, for mail, and the form in which two spellings are equal.

    Both are ASCII, so no two of them look alike without being the same.
    """

    spelled: str
    canonical: str


def read(text: str) -> Address:
    """Reads an address; raises ValidationFailed. Nobody is asked whether it exists.

    Letters before the @ are equal in either case, though a mail server may tell them apart: none
    that matters does, and people spell their own address both ways.
    """
    try:
        # A "test environment" admits addresses below .test, which harm nobody.
        found = validate_email(
            text,
            strict=True,
            check_deliverability=False,
            test_environment=True,
            allow_smtputf8=False,
        )
    except EmailNotValidError as error:
        raise ValidationFailed(violations=[Violation("email", str(error))]) from error
    if found.ascii_email is None:
        raise ValidationFailed(violations=[Violation("email", "must be ASCII")])
    return Address(found.ascii_email, found.ascii_email.lower())
