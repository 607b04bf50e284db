"""The command that replaces the key that access tokens are signed with."""

import asyncio
from datetime import UTC, datetime, timedelta

import click

from deploy.operator.database import accounts_pool
from services.accounts.credentials.signing_keys import NewSigningKey, SigningKeys


@click.command()
@click.option(
    "--compromised",
    is_flag=True,
    help="The keys are in wrong hands: delete them, sign with the new one at once, and refuse "
    "every access token there is within 30 seconds. People stay logged in.",
)
def rotate_keys(*, compromised: bool) -> None:
    """Make a new key to sign access tokens with.

    It is published at once and signs ten minutes later, or at once if it is the first. The former
    key stays published until its last token has expired, so nobody notices. Nothing is restarted.

    Needs the database of accounts.
    """
    successor = asyncio.run(_rotate(compromised=compromised))
    soon = successor.signs_from > datetime.now(UTC) + timedelta(seconds=1)
    since = f"from {successor.signs_from:%H:%M:%S} UTC on" if soon else "now"
    click.echo(f"The key {successor.kid} signs {since}.")


async def _rotate(*, compromised: bool) -> NewSigningKey:
    async with accounts_pool() as pool:
        keys = SigningKeys(pool)
        return await (keys.replace() if compromised else keys.rotate())
