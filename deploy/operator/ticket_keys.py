"""The command that replaces the key that codes of tickets are signed with."""

import asyncio

import click

from deploy.operator.database import bookings_pool
from deploy.operator.recording import recorded
from services.bookings.tickets.keys import TicketKeys


@click.command()
@click.option(
    "--compromised",
    is_flag=True,
    help="The keys are in wrong hands: delete them and sign with the new one at once. Tickets stay "
    "valid, but their codes have to be fetched again.",
)
def rotate_ticket_keys(*, compromised: bool) -> None:
    """Make a new key to sign codes of tickets with.

    It is published at once and signs a day later. Former keys stay published, for the codes that
    they signed. Nothing is restarted.

    Needs the database of bookings.
    """
    asyncio.run(_rotate(compromised=compromised))
    when = "now, and alone" if compromised else "in a day, or now if it is the first"
    click.echo(f"The new key signs {when}.")


async def _rotate(*, compromised: bool) -> None:
    async with bookings_pool() as pool:
        keys = TicketKeys(pool)
        async with recorded(pool, "ticket-keys"):
            await (keys.replace() if compromised else keys.rotate())
