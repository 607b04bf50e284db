"""The command `boxoffice load`."""

import asyncio
import itertools
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop
from rich.console import Console

from deploy.load import picture, report
from deploy.load.display import Display
from deploy.load.profiles import Plan
from deploy.load.run import Order, Result, run
from deploy.load.target import Target
from deploy.local.settings import RunSettings

MOST_PURCHASES = 200_000
DEFAULT_RATE = 50.0
DEFAULT_BUYERS = {"rush": 1_000, "demo": 60, "steady": 0}
DEFAULT_SECONDS = {"rush": 1.0, "demo": 30.0, "steady": 30.0}
DEFAULT_SEATS = {"rush": 500, "demo": 80}

positive = click.IntRange(min=1)


@click.command()
@click.argument("url", required=False)
@click.option("--event", type=positive, help="Book this event; else one is made for the test.")
@click.option("--room", type=positive, help="The event that is made is in this room, with seats.")
@click.option(
    "--profile",
    type=click.Choice(("rush", "steady", "demo")),
    default="rush",
    show_default=True,
    help="All at once; at a rate; or a small sale with people who hold, pay and cancel.",
)
@click.option("--rate", type=click.FloatRange(0.1, 5_000), help="Bookings a second (steady). [50]")
@click.option("--buyers", type=click.IntRange(1, 20_000), help="Buyers (rush 1000, demo 60).")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3_600),
    help="How long buyers keep arriving (rush 1, steady and demo 30).",
)
@click.option(
    "--seats",
    type=click.IntRange(1, 1_000_000),
    help="Seats of the event that is made (rush 500, demo 80, steady enough for all).",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 2_000),
    default=200,
    show_default=True,
    help="Connections at most; other requests wait, and their time counts.",
)
@click.option(
    "--token",
    envvar="BOXOFFICE_LOAD_TOKEN",
    default="",
    help="API key or access token, better given as BOXOFFICE_LOAD_TOKEN.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the result and its series to this file, as JSON.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw the sale into this SVG file.",
)
@click.option("--delete", is_flag=True, help="Delete the event that was made, if all agrees.")
@click.option("--yes", is_flag=True, help="Allow an address of another machine.")
def load(url: str | None, **options: Any) -> None:
    """Put load on the Boxoffice at URL, and check that it has what it told.

    URL is that of `make run` if it is left out. The bookings are real: use a system for tests.
    At the end each buyer's last response is compared with the bookings of the event. Exit status:
    0 if all agrees, 1 if not, 2 if the test could not be done. Ctrl-C ends the load, and what was
    booked until then is checked.

    Needs the gateway at URL.
    """
    order = _order(url, options)
    try:
        result = _run(order)
    except asyncio.CancelledError:
        click.echo("Ended without a check.", err=True)
        sys.exit(128 + signal.SIGINT)
    if options["record"]:
        options["record"].write_bytes(_encoded(result))
    if options["picture"]:
        options["picture"].write_text(picture.draw(result), encoding="utf-8")
    if options["as_json"]:
        click.echo(_encoded(result))
    else:
        click.echo("\n".join(report.lines(result)))
    if result.shop.failure is not None:
        raise result.shop.failure
    sys.exit(result.exit_status)


def _order(url: str | None, options: Mapping[str, Any]) -> Order:
    """Checks what belongs together and fills in defaults. Raises click.UsageError."""
    target = Target.parse(url or RunSettings.load().gateway_url)
    if not (target.is_loopback or options["yes"]):
        raise click.UsageError(
            f"{target.host} is another machine, and a load test makes real bookings there and may "
            "keep others from booking. Repeat the command with --yes if that is what you want."
        )
    profile = options["profile"]
    if options["rate"] and profile != "steady":
        raise click.UsageError("--rate is for --profile steady")
    if options["buyers"] and profile == "steady":
        raise click.UsageError("--profile steady has --rate and --seconds in place of --buyers")
    if options["event"] and (options["seats"] or options["room"] or options["delete"]):
        raise click.UsageError("--seats, --room and --delete are for an event that is made")
    if options["seats"] and options["room"]:
        raise click.UsageError("a --room has as many seats as it has: leave out --seats")
    plan = Plan(
        profile,
        options["buyers"] or DEFAULT_BUYERS[profile],
        options["rate"] or DEFAULT_RATE,
        options["seconds"] or DEFAULT_SECONDS[profile],
        options["connections"],
    )
    if plan.purchases > MOST_PURCHASES:
        raise click.UsageError(f"--rate times --seconds is over {MOST_PURCHASES} purchases")
    return Order(
        target,
        plan,
        options["seats"] or DEFAULT_SEATS.get(profile, plan.purchases),
        options["event"],
        options["room"],
        options["token"],
        options["delete"],
    )


def _run(order: Order) -> Result:
    """Runs the test; the first Ctrl-C ends the load, the second one raises CancelledError."""

    async def run_until_stopped() -> Result:
        stop, presses = asyncio.Event(), itertools.count(1)
        task = asyncio.create_task(run(order, Display(Console(stderr=True)), stop))

        def on_signal() -> None:
            if next(presses) > 1:
                task.cancel()
                return
            click.echo("Stopping; what was booked is checked. Ctrl-C again ends at once.", err=True)
            stop.set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, on_signal)
        return await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_until_stopped())


def _encoded(result: Result) -> bytes:
    return orjson.dumps(report.as_json(result), option=orjson.OPT_INDENT_2)
