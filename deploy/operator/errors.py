"""Errors of the operator's commands; the user sees the messages.

OperatorError
├── UnreachableError   the database of a service does not answer
├── BannedError        the account is banned
├── AccountExistsError the address has an account already
├── ScopeError         the account may not have a key with this scope
├── ProductionError    the command is not for production
├── RoomFileError      a file does not describe a room
├── BackupError        a backup cannot be written or read
├── InUseError         processes use the database that is to be replaced
└── RefusedError       the service refused what the command asked for
"""

from collections.abc import Sequence


class OperatorError(Exception):
    """The command was not done."""


class UnreachableError(OperatorError):
    """The database of a service does not answer."""

    def __init__(self, service: str) -> None:
        super().__init__(
            "the database cannot be reached: start `boxoffice up` or `make run`, "
            f"or say where it is with {service.upper()}_DATABASE_URL"
        )


class BannedError(OperatorError):
    """The account is banned."""

    def __init__(self, email: str) -> None:
        super().__init__(f"{email} is banned")


class AccountExistsError(OperatorError):
    """The address has an account already."""

    def __init__(self, email: str) -> None:
        super().__init__(f"{email} has an account: leave out --create")


class ScopeError(OperatorError):
    """The account may not have a key with this scope."""

    def __init__(self, email: str) -> None:
        super().__init__(f"only an admin's key may act for any user, and {email} is no admin")


class ProductionError(OperatorError):
    """The command is not for production."""

    def __init__(self) -> None:
        super().__init__(
            "this makes accounts whose password everybody knows: not in production, and only where "
            "a key of a development run signs tokens"
        )


class RoomFileError(OperatorError):
    """A file does not describe a room; each line of the message is something wrong with it."""


class BackupError(OperatorError):
    """A backup cannot be written or read; the message has the reason."""


class InUseError(OperatorError):
    """Processes use the database that is to be replaced."""

    def __init__(self, database: str, who: Sequence[str]) -> None:
        super().__init__(
            f"the database {database} is in use by {', '.join(who)}: stop all processes, or end "
            "their sessions with --force"
        )


class RefusedError(OperatorError):
    """The service refused what the command asked for."""
