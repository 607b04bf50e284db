"""The command that makes an API key for somebody's program."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from deploy.operator.database import accounts_pool
from deploy.operator.errors import BannedError, ScopeError
from deploy.operator.recording import recorded
from services.accounts.credentials.api_keys import ANY_USER, ApiKeys, ApiKeySpec, CreatedApiKey
from services.accounts.people.administration import Administration

SCOPES = ("EVENTS_WRITE", "BOOKINGS_READ", "BOOKINGS_WRITE", ANY_USER)
LONGEST_NAME = 100


@click.command()
@click.argument("email")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES, case_sensitive=False),
    help="What the key may do; give it several times for several scopes.",
)
@click.option("--name", default="by the operator", show_default=True, help="What to call it.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires, else never.")
def api_key(email: str, scopes: Sequence[str], name: str, days: int | None) -> None:
    """Make an API key for the account of EMAIL, and print it: this once.

    A program sends it as `Authorization: Bearer box_…` and acts for the account, within the scopes.
    With BOOKINGS_ANY_USER, which only an admin's key can have, it books for anybody.

    Needs the database of accounts.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise click.BadParameter(f"must have 1 to {LONGEST_NAME} characters", param_hint="--name")
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    made = asyncio.run(_make(email, ApiKeySpec(name, sorted(set(scopes)), expires_at)))
    click.echo(made.secret)


async def _make(email: str, wish: ApiKeySpec) -> CreatedApiKey:
    async with accounts_pool() as pool:
        found = await Administration(pool).find(email)
        if found.is_banned:
            raise BannedError(email)
        if ANY_USER in wish.scopes and found.role != "ADMIN":
            raise ScopeError(email)
        async with recorded(pool, f"account/{found.id}") as recording:
            made = await ApiKeys(pool).create(found.id, found.generation, wish)
            recording.created = f"api-key/{made.api_key.id}"
        return made
