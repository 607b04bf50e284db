"""E-mail addresses: which are valid, and which are equal."""

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from services.kit.rpc.errors import ValidationFailed, Violation


@dataclass(frozen=True, slots=True)
class Address:
    """An address as its owner spells it, and its canonical form, which is compared.

    Both are ASCII, so two addresses that look the same are the same.
    """

    spelled: str
    canonical: str


def parse(text: str) -> Address:
    """Parses an address; raises ValidationFailed. Does not check whether it exists.

    Ignores case before the @ too. A mail server may distinguish it, but none that matters does,
    and people spell their own address both ways.
    """
    try:
        # Admits addresses below .test, which are harmless.
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
