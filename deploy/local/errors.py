"""Errors that keep the development run from starting or continuing; users see the messages.

LocalRunError
├── PortTakenError            another program listens on the port
├── PostgresError             the server did not start
│   ├── PostgresInUseError    another process runs it
│   └── ForeignFolderError    a folder belongs to another user or is out of reach
├── MigrationError            the database could not be brought to the newest schema
├── ChildEndedError           a service ended by itself
├── NotReadyError             the gateway did not become ready in time
├── SampleDataError           the gateway refused an event of the sample data
└── NotConfirmedError         the deletion of data was not confirmed
"""


class LocalRunError(Exception):
    """The development run cannot go on; the message says why."""


class PortTakenError(LocalRunError):
    """A port cannot be listened on; the message names it and the setting that changes it."""


class PostgresError(LocalRunError):
    """PostgreSQL could not be started; the message ends with the tail of its own log."""


class PostgresInUseError(PostgresError):
    """Another process runs the server of this folder."""


class ForeignFolderError(PostgresError):
    """A folder that the server needs belongs to another user or is out of its reach."""


class MigrationError(LocalRunError):
    """The database could not be brought to the newest schema; the message has the reason."""


class ChildEndedError(LocalRunError):
    """A process of the run ended by itself; the message names it."""


class NotReadyError(LocalRunError):
    """The gateway did not become ready in time."""


class SampleDataError(LocalRunError):
    """The gateway refused some of the sample data."""


class NotConfirmedError(LocalRunError):
    """The deletion of data was not confirmed."""
