"""Commands about accounts: roles, bans, API keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from deploy.operator import new_accounts
from deploy.operator.database import accounts_pool
from deploy.operator.recording import recorded
from services.accounts.people.administration import Administration

ROLES = ("USER", "ORGANIZER", "ADMIN")
ResultT = TypeVar("ResultT")

email_argument = click.argument("email")


@click.command()
@email_argument
@click.option("--create", is_flag=True, help="Make the account, too; asks for its password.")
def make_admin(email: str, *, create: bool) -> None:
    """Make the account of EMAIL an admin, who may do everything.

    It must have been registered, unless --create makes it. Its tokens of before are refused within
    30 seconds. Without a terminal the password for --create is read from the standard input.

    Needs the database of accounts.
    """
    if create:
        new_accounts.create_admin(email)
        click.echo(f"{email} is ADMIN, and can log in.")
    else:
        _set_role(email, "ADMIN")


@click.command()
@email_argument
@click.argument("role", type=click.Choice(ROLES, case_sensitive=False))
def set_role(email: str, role: str) -> None:
    """Give the account of EMAIL the ROLE user, organizer or admin.

    Tokens with the former role are refused within 30 seconds.

    Needs the database of accounts.
    """
    _set_role(email, role)


@click.command()
@email_argument
def ban(email: str) -> None:
    """Keep the account of EMAIL from doing anything.

    Its tokens and API keys are refused within 30 seconds. Bookings and events stay.

    Needs the database of accounts.
    """
    _administer(email, lambda administration: administration.ban(email))
    click.echo(f"{email} is banned.")


@click.command()
@email_argument
def unban(email: str) -> None:
    """Let the account of EMAIL log in again.

    Its API keys are good again.

    Needs the database of accounts.
    """
    _administer(email, lambda administration: administration.unban(email))
    click.echo(f"{email} is not banned any more.")


def _set_role(email: str, role: str) -> None:
    before = _administer(
        email, lambda administration: administration.set_role(email, role), argument=role
    ).role
    was = "already" if before == role else f"and was {before}"
    click.echo(f"{email} is {role}, {was}.")


def _administer(
    email: str,
    work: Callable[[Administration], Awaitable[ResultT]],
    *,
    argument: str | None = None,
) -> ResultT:
    async def run() -> ResultT:
        async with accounts_pool() as pool:
            administration = Administration(pool)
            target = f"account/{(await administration.find(email)).id}"
            async with recorded(pool, target, argument=argument):
                return await work(administration)

    return asyncio.run(run())
