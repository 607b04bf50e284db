"""Users: the rows of those who have an account, and of those who had one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from psycopg.rows import class_row

from services.accounts import identifiers
from services.accounts.users.addresses import Address
from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Person:
    """What people say of themselves; empty is unsaid."""

    name: str = ""
    firstname: str = ""
    lastname: str = ""
    country: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has an account; `generation` is that of its tokens."""

    id: str
    email: str
    canonical_email: str
    email_verified: bool
    name: str
    firstname: str
    lastname: str
    country: str | None
    role: str
    generation: int
    password_hash: str | None = field(repr=False)

    @property
    def address(self) -> Address:
        """Where letters go."""
        return Address(self.email, self.canonical_email)

    @property
    def called(self) -> str:
        """The name to call the user by."""
        return self.name or f"{self.firstname} {self.lastname}".strip()


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who registers; `asks_to_organize` leaves it to the operator whether they may."""

    person: Person
    address: Address
    password_hash: str = field(repr=False)
    role: str = "USER"
    email_verified: bool = False
    asks_to_organize: bool = False


async def find(connection: Connection, address: Address) -> User | None:
    """Finds who has an address, unless they are banned."""
    return await _one(connection, "find_user", {"canonical_email": address.canonical})


async def get(connection: Connection, account_id: str) -> User | None:
    """Gets a user by the id of the account, unless it is banned or deleted."""
    return await _one(connection, "get_user", {"id": account_id})


async def lock(connection: Connection, account_id: str) -> User | None:
    """Gets a user like `get`, whom nobody else changes before the transaction ends."""
    return await _one(connection, "lock_user", {"id": account_id})


async def add(connection: Connection, applicant: Applicant) -> User | None:
    """Adds an account; None when its address has one."""
    return await _one(connection, "add_user", _values(applicant))


async def take_over(connection: Connection, applicant: Applicant) -> User | None:
    """Makes an account of an unverified address the applicant's; None when it has none such.

    Ends its access tokens. The caller ends its sessions and API keys in the same transaction.
    """
    return await _one(connection, "take_over_user", _values(applicant))


async def set_password(connection: Connection, address: Address, password_hash: str) -> User | None:
    """Sets a password by a mailed code, which verifies the address; None when nobody has it.

    Ends the account's access tokens. The caller ends its sessions and API keys in the same
    transaction.
    """
    values = {"canonical_email": address.canonical, "password_hash": password_hash}
    return await _one(connection, "set_password", values)


async def rehash(connection: Connection, user: User, password_hash: str) -> None:
    """Stores a better hash of the same password, unless that was changed by now."""
    values = {"id": user.id, "known": user.password_hash, "password_hash": password_hash}
    await connection.execute(SQL["rehash_password"], values)


async def set_email(connection: Connection, account_id: str, address: Address) -> User | None:
    """Gives an account a verified address; raises UniqueViolation when another one has it."""
    values = {
        "id": account_id,
        "email": address.spelled,
        "canonical_email": address.canonical,
    }
    return await _one(connection, "set_email", values)


async def set_person(connection: Connection, account_id: str, person: Person) -> User | None:
    """Stores what a user says of themselves."""
    return await _one(connection, "set_person", asdict(person) | {"id": account_id})


async def erase(connection: Connection, account_id: str) -> None:
    """Erases the personal data of an account; the row keeps its id.

    The caller ends what was issued to the account in the same transaction.
    """
    await connection.execute(SQL["erase_user"], {"id": account_id})


async def _one(connection: Connection, statement: str, values: Mapping[str, object]) -> User | None:
    cursor = connection.cursor(row_factory=class_row(User))
    return await (await cursor.execute(SQL[statement], values)).fetchone()


def _values(applicant: Applicant) -> dict[str, object]:
    return asdict(applicant.person) | {
        "id": identifiers.account_id(),
        "email": applicant.address.spelled,
        "canonical_email": applicant.address.canonical,
        "email_verified": applicant.email_verified,
        "password_hash": applicant.password_hash,
        "role": applicant.role,
        "asks_to_organize": applicant.asks_to_organize,
    }
