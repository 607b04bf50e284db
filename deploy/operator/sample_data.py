"""The command that fills a development system with people and events to try things on."""

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from deploy.local.sample_cinema import create_cinema
from deploy.local.sample_events import create, organized_events, sample_events
from deploy.local.settings import RunSettings
from deploy.operator.database import accounts_pool
from deploy.operator.errors import BannedError, ProductionError
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.users import addresses, users
from services.accounts.users.users import NewUser, PersonalData, User
from services.kit.database.postgres import Connection

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
    """Make sample accounts, events and a cinema, where missing, and print how to log in.

    There are an admin, an organizer, two users, events of the organizer's (one a draft), events of
    everybody's, and two movies that are shown in a theater. Refused in production: all accounts
    have one password, which is printed here.

    Needs the database of accounts, and the gateway at PORT.
    """
    if os.environ.get("BOXOFFICE_ENV") == "production":
        raise ProductionError
    url, now = RunSettings.load().gateway_url, datetime.now(UTC)
    organizer, admin = asyncio.run(_people())
    create(url, [*organized_events(now), *sample_events(now)], authorization=organizer)
    create_cinema(url, now, authorization=admin)
    click.echo(f"The sample accounts and events are in place: {url}/events\n")
    for sample in SAMPLES:
        click.echo(f"  {sample.email:24}{sample.role:12}{PASSWORD}")


async def _people() -> list[str]:
    """Makes the accounts; returns the `authorization` of the organizer and of the admin."""
    async with accounts_pool() as pool, Passwords() as passwords:
        tokens = Tokens(SigningKeys(pool))
        async with pool.connection() as connection:
            for sample in SAMPLES:
                await _add(connection, sample, await passwords.hash(PASSWORD))
            found = [
                (sample, await users.find(connection, addresses.parse(sample.email)))
                for sample in (ORGANIZER, ADMIN)
            ]
        return [await _authorization(tokens, *one) for one in found]


async def _authorization(tokens: Tokens, sample: Sample, user: User | None) -> str:
    if user is None:
        raise BannedError(sample.email)
    return f"Bearer {(await tokens.issue(user)).token}"


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
