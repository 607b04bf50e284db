"""What can keep the development run from starting or going on; each message is for its user.

LocalRunError
├── PortTakenError            something else listens where we were asked to
├── PostgresError             the server did not start
│   ├── PostgresInUseError    another live process runs it
│   └── ForeignFolderError    a folder of its files is not ours to use
├── MigrationError            the database could not be brought to the newest schema
├── ChildEndedError           a service ended that should not have
├── NotReadyError             the gateway did not become ready in time
├── SampleDataError           the gateway refused an event of the sample data
└── NotConfirmedError         nobody said yes to what deletes data
"""


class LocalRunError(Exception):
    """The development run cannot go on; the message says why."""


class PortTakenError(LocalRunError):
    """A port cannot be listened on; the message names it and the setting that changes it."""


class PostgresError(LocalRunError):
    """PostgreSQL could not be started; the message ends with the tail of its own log."""


class PostgresInUseError(PostgresError):
    """Another live process runs the server of this folder."""


class ForeignFolderError(PostgresError):
    """A folder that the server needs belongs to somebody else or is out of its reach."""


class MigrationError(LocalRunError):
    """The database could not be brought to the newest schema; the message has the reason."""


class ChildEndedError(LocalRunError):
    """A process of the run ended by itself; the message names it."""


class NotReadyError(LocalRunError):
    """The gateway did not become ready in time."""


class SampleDataError(LocalRunError):
    """The gateway did not take an event of the sample data."""


class NotConfirmedError(LocalRunError):
    """Nobody said yes to what deletes data."""
