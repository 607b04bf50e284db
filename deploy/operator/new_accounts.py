"""Makes the account of an admin, who needs neither mail nor another admin."""

import asyncio
import sys

import click

from deploy.operator.database import accounts_pool
from deploy.operator.errors import AccountExistsError, RefusedError
from deploy.operator.recording import recorded
from services.accounts.credentials.common_passwords import common_passwords
from services.accounts.credentials.passwords import Passwords
from services.accounts.users import addresses, users
from services.accounts.users.users import NewUser, PersonalData
from services.kit.rpc.errors import ValidationFailed

SHORTEST, LONGEST = 8, 128
"""Characters of a password, as the contract has them."""


def create_admin(email: str) -> None:
    """Makes an admin's account with a verified address, and asks for its password.

    Raises AccountExistsError, and RefusedError for an address or a password that is not accepted.
    """
    asyncio.run(_create(email, _password()))


def _password() -> str:
    """Asks at the terminal, twice; elsewhere reads a line."""
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    if not SHORTEST <= len(password) <= LONGEST:
        raise RefusedError(f"the password must have {SHORTEST} to {LONGEST} characters")
    return password


async def _create(email: str, password: str) -> None:
    async with accounts_pool() as pool, Passwords(refused=common_passwords()) as passwords:
        try:
            address = addresses.parse(email)
            passwords.expect_uncommon(password)
        except ValidationFailed as refusal:
            [violation] = refusal.violations
            raise RefusedError(f"{violation.path}: {violation.message}") from refusal
        hashed = await passwords.hash(password)
        admin = NewUser(PersonalData(), address, hashed, role="ADMIN", email_verified=True)
        async with recorded(pool, None) as recording, pool.connection() as connection:
            added = await users.add(connection, admin)
            if added is None:
                raise AccountExistsError(email)
            recording.created = f"account/{added.id}"
