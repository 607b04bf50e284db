"""Adds accounts to a running system's database, with access tokens and API keys."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.accounts.client import add_account, add_api_key


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its `authorization`."""

    id: str
    role: str
    authorization: str
    generation: int = 1


def add_accounts(database: Database, roles: Mapping[str, str]) -> dict[str, Person]:
    """Creates an account of each role, by the names that the test gives them."""
    return asyncio.run(_add_accounts(database, roles))


def key_of(database: Database, person: Person, *scopes: str) -> str:
    """Creates an API key of a person; returns its `authorization`."""
    return f"Bearer {add_api_key(database, person.id, scopes=list(scopes))}"


async def _add_accounts(database: Database, roles: Mapping[str, str]) -> dict[str, Person]:
    people = {}
    async with patient_pool(database.accounts_dsn, schema="accounts", size=2) as pool:
        tokens = Tokens(SigningKeys(pool))
        for name, role in roles.items():
            person = Person(add_account(database, role=role), role, "")
            issued = await tokens.issue(person)
            people[name] = Person(person.id, role, f"Bearer {issued.token}")
    return people
