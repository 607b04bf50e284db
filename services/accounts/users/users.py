"""Users: the rows of accounts, also of deleted ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from psycopg.rows import class_row

from services.accounts import identifiers
from services.accounts.users.addresses import Address
from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Name and country, as the user gave them; empty if not given."""

    name: str = ""
    firstname: str = ""
    lastname: str = ""
    country: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """An account that is neither banned nor deleted; `generation` is that of its tokens."""

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
        """The address for e-mails."""
        return Address(self.email, self.canonical_email)

    @property
    def display_name(self) -> str:
        """The name to show."""
        return self.name or f"{self.firstname} {self.lastname}".strip()


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to add. `asks_to_organize` lets the operator decide about the role."""

    personal_data: PersonalData
    address: Address
    password_hash: str = field(repr=False)
    role: str = "USER"
    email_verified: bool = False
    asks_to_organize: bool = False


async def find(connection: Connection, address: Address) -> User | None:
    """Finds the user with an address, unless banned."""
    return await _one(connection, "find_user", {"canonical_email": address.canonical})


async def get(connection: Connection, account_id: str) -> User | None:
    """Gets a user by id, unless banned or deleted."""
    return await _one(connection, "get_user", {"id": account_id})


async def lock(connection: Connection, account_id: str) -> User | None:
    """Gets a user like `get`, and locks the row until the transaction ends."""
    return await _one(connection, "lock_user", {"id": account_id})


async def add(connection: Connection, new_user: NewUser) -> User | None:
    """Adds an account; None if the address has one already."""
    return await _one(connection, "add_user", _values(new_user))


async def take_over(connection: Connection, new_user: NewUser) -> User | None:
    """Hands the account of an unverified address to `new_user`; None if there is none.

    Ends its access tokens. The caller ends its sessions and API keys in the same transaction.
    """
    return await _one(connection, "take_over_user", _values(new_user))


async def set_password(connection: Connection, address: Address, password_hash: str) -> User | None:
    """Sets the password of the account with an address, and marks the address as verified.

    Returns None if nobody has the address. Ends the account's access tokens. The caller ends its
    sessions and API keys in the same transaction.
    """
    values = {"canonical_email": address.canonical, "password_hash": password_hash}
    return await _one(connection, "set_password", values)


async def rehash(connection: Connection, user: User, password_hash: str) -> None:
    """Stores a stronger hash of the same password, unless the password was changed meanwhile."""
    values = {"id": user.id, "known": user.password_hash, "password_hash": password_hash}
    await connection.execute(SQL["rehash_password"], values)


async def set_email(connection: Connection, account_id: str, address: Address) -> User | None:
    """Sets a verified address; raises UniqueViolation if another account has it."""
    values = {
        "id": account_id,
        "email": address.spelled,
        "canonical_email": address.canonical,
    }
    return await _one(connection, "set_email", values)


async def set_personal_data(
    connection: Connection, account_id: str, personal_data: PersonalData
) -> User | None:
    """Sets the name and the country of a user."""
    return await _one(connection, "set_personal_data", asdict(personal_data) | {"id": account_id})


async def erase(connection: Connection, account_id: str) -> None:
    """Erases the personal data of an account; the row keeps its id.

    The caller ends what was issued to the account in the same transaction.
    """
    await connection.execute(SQL["erase_user"], {"id": account_id})


async def _one(connection: Connection, statement: str, values: Mapping[str, object]) -> User | None:
    cursor = connection.cursor(row_factory=class_row(User))
    return await (await cursor.execute(SQL[statement], values)).fetchone()


def _values(new_user: NewUser) -> dict[str, object]:
    return asdict(new_user.personal_data) | {
        "id": identifiers.account_id(),
        "email": new_user.address.spelled,
        "canonical_email": new_user.address.canonical,
        "email_verified": new_user.email_verified,
        "password_hash": new_user.password_hash,
        "role": new_user.role,
        "asks_to_organize": new_user.asks_to_organize,
    }
