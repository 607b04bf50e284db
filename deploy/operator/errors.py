"""What a command of the operator can fail with; each message is for whoever typed it.

OperatorError
├── UnreachableError   the database of accounts does not answer
├── UnsetError         a setting that the command needs is not there
└── ProductionError    the command is not for production
"""


class OperatorError(Exception):
    """The command was not done."""


class UnreachableError(OperatorError):
    """The database of accounts does not answer."""

    def __init__(self) -> None:
        super().__init__(
            "the database cannot be reached: start it with `make run`, "
            "or say where it is with ACCOUNTS_DATABASE_URL"
        )


class UnsetError(OperatorError):
    """A setting that the command needs is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} must be set")


class ProductionError(OperatorError):
    """The command is not for production."""
