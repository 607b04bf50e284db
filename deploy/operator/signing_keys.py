"""The command that replaces the key that access tokens are signed with."""

import asyncio
from datetime import UTC, datetime, timedelta

import click

from deploy.operator.database import accounts_pool
from deploy.operator.recording import recorded
from services.accounts.credentials.signing_keys import NewSigningKey, SigningKeys


@click.command()
@click.option(
    "--compromised",
    is_flag=True,
    help="The keys are in wrong hands: delete them, sign with the new one at once, and refuse "
    "every access token there is within 30 seconds. People stay logged in.",
)
@click.option(
    "--first",
    is_flag=True,
    help="Make a key only if there is none yet, so that a script can run this each time.",
)
def rotate_keys(*, compromised: bool, first: bool) -> None:
    """Make a new key to sign access tokens with.

    It is published at once and signs ten minutes later, or at once if it is the first. The former
    key stays published until its last token has expired, so nobody notices. Nothing is restarted.

    Needs the database of accounts.
    """
    if compromised and first:
        raise click.UsageError("--compromised and --first exclude each other")
    successor = asyncio.run(_rotate(compromised=compromised, first=first))
    if successor is None:
        click.echo("There is a key already.")
        return
    soon = successor.signs_from > datetime.now(UTC) + timedelta(seconds=1)
    since = f"from {successor.signs_from:%H:%M:%S} UTC on" if soon else "now"
    click.echo(f"The key {successor.kid} signs {since}.")


async def _rotate(*, compromised: bool, first: bool) -> NewSigningKey | None:
    """Makes the key; returns None if there is one and only the first was asked for."""
    async with accounts_pool() as pool:
        keys = SigningKeys(pool)
        if first and await keys.list_published():
            return None
        async with recorded(pool, "signing-keys") as recording:
            made = await (keys.replace() if compromised else keys.rotate())
            recording.created = f"signing-key/{made.kid}"
        return made
