"""The admin who loads sample data: a token, and no account that anybody can log in to."""

from dataclasses import dataclass

from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.identifiers import account_id
from services.kit.database.postgres import open_pool


@dataclass(frozen=True, slots=True)
class Admin:
    """The subject of a token; no such account has to exist."""

    id: str
    role: str = "ADMIN"
    generation: int = 1


async def admin_authorization(dsn: str) -> str:
    """Returns the `authorization` of an admin, signed with the key in the database of accounts."""
    async with open_pool(dsn, schema="accounts", size=2) as pool:
        keys = SigningKeys(pool)
        issued = await Tokens(keys).issue(Admin(account_id()))
    return f"Bearer {issued.token}"
