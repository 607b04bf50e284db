"""Errors of the load test; the user sees the messages, and the exit status is 2.

LoadError
├── UnreachableError   nothing answers at the address
├── NotAllowedError    the caller may not do what the test needs
├── RefusedError       the system refused what the test needs
└── RealMoneyError     the system takes real payments
"""

import click


class LoadError(click.ClickException):
    """The load test could not be done."""

    exit_code = 2


class UnreachableError(LoadError):
    """Nothing answers at the address."""

    def __init__(self, url: str, reason: object) -> None:
        super().__init__(f"nothing answers at {url}: {reason}")


class NotAllowedError(LoadError):
    """The caller may not do what the test needs."""

    def __init__(self, wanted: str, code: str) -> None:
        super().__init__(
            f"{wanted} is not allowed ({code}). Without a token the system must have open access. "
            "Otherwise give --token the API key of an admin, which books for any user:\n"
            "  boxoffice api-key EMAIL --scope EVENTS_WRITE --scope BOOKINGS_READ "
            "--scope BOOKINGS_WRITE --scope BOOKINGS_ANY_USER"
        )


class RefusedError(LoadError):
    """The system refused what the test needs."""

    def __init__(self, wanted: str, status: int, body: str) -> None:
        super().__init__(f"{wanted} was refused with {status}: {body[:300]}")


class RealMoneyError(LoadError):
    """The system takes real payments."""

    def __init__(self) -> None:
        super().__init__(
            "this system takes real payments: the demo pays in the sandbox only "
            "(BOOKINGS_PAYMENT_PROVIDERS=sandbox), so choose another --profile"
        )
