"""The command that fills a development system with people and events to try things on."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from deploy.local.samples.client import Client
from deploy.local.samples.events import load_events, organized_events
from deploy.local.samples.loading import load
from deploy.local.settings import RunSettings
from deploy.operator.database import accounts_pool
from deploy.operator.errors import BannedError, ProductionError
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.users import addresses, users
from services.accounts.users.users import NewUser, PersonalData
from services.kit.database.postgres import Connection, Pool

PASSWORD = "known-to-everybody"  # noqa: S105 - which is why production has no such accounts


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample account."""

    email: str
    role: str
    firstname: str
    lastname: str


ADMIN = Sample("admin@example.com", "ADMIN", "Adam", "Admin")
ORGANIZER = Sample("organizer@example.com", "ORGANIZER", "Olive", "Organizer")
SAMPLES = (
    ADMIN,
    ORGANIZER,
    Sample("ada@example.com", "USER", "Ada", "Lovelace"),
    Sample("grace@example.com", "USER", "Grace", "Hopper"),
)


@click.command()
def seed() -> None:
    """Make sample accounts, events and a cinema, what is missing, and print how to log in.

    There are an admin, an organizer, two users, events of the organizer's (one a draft), movies,
    rooms with seats, and the screenings of the coming week. Refused in production: all accounts
    have one password, which is printed here.

    Needs the database of accounts, and the gateway at PORT.
    """
    url, now = RunSettings.load().gateway_url, datetime.now(UTC)
    admin, organizer = (Client(url, one) for one in asyncio.run(_people()))
    load(admin, organizer, now)
    load_events(organizer, organized_events(now))
    click.echo(f"The sample accounts and events are in place: {url}/events\n")
    for sample in SAMPLES:
        click.echo(f"  {sample.email:24}{sample.role:12}{PASSWORD}")


async def _people() -> tuple[str, str]:
    """Makes the accounts; returns the `authorization` of the admin and of the organizer.

    Raises ProductionError. It looks at the keys, as the settings of this command may not be those
    of the processes: in production accounts does not start with a generated key.
    """
    async with accounts_pool() as pool, Passwords() as passwords:
        keys = SigningKeys(pool)
        if not any(key.is_for_development for key in await keys.list_published()):
            raise ProductionError
        async with pool.connection() as connection:
            for sample in SAMPLES:
                await _add(connection, sample, await passwords.hash(PASSWORD))
        tokens = Tokens(keys)
        return await _authorization(pool, tokens, ADMIN), await _authorization(
            pool, tokens, ORGANIZER
        )


async def _authorization(pool: Pool, tokens: Tokens, sample: Sample) -> str:
    async with pool.connection() as connection:
        found = await users.find(connection, addresses.parse(sample.email))
    if found is None:
        raise BannedError(sample.email)
    issued = await tokens.issue(found)
    return f"Bearer {issued.token}"


async def _add(connection: Connection, sample: Sample, password_hash: str) -> None:
    person = PersonalData(firstname=sample.firstname, lastname=sample.lastname)
    applicant = NewUser(
        person,
        addresses.parse(sample.email),
        password_hash,
        role=sample.role,
        email_verified=True,
    )
    await users.add(connection, applicant)
