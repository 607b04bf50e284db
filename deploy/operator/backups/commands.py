"""The commands `backup` and `restore`."""

from pathlib import Path

import click

from deploy.operator.backups import dumps, restores
from deploy.operator.owner import owner_database

SHOWN = 20
"""Losses that are printed; all of them go into a file."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write all data to FILE, as it is at one moment.

    FILE must not exist. Only you can read it: it has everybody's data. Everything may run
    meanwhile. The secrets of the data directory are not in it; see docs/operating.md.

    Needs the owner's database: BOXOFFICE_DATABASE_URL, or that of `boxoffice up`, running or not.
    """
    if file.exists():
        raise click.BadParameter(f"{file} exists", param_hint="FILE")
    with owner_database() as dsn:
        size = dumps.dump(dsn, file)
    click.echo(f"{file} has everything, in {max(1, size >> 20):,} MB.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="End the sessions of processes that run.")
@click.option("--discard", is_flag=True, help="Delete what is replaced, instead of keeping it.")
@click.option(
    "--losses",
    type=click.Path(dir_okay=False, path_type=Path, writable=True),
    help="Write a line for everything that is lost to this file.",
)
def restore(file: Path, losses: Path | None, *, force: bool, discard: bool) -> None:
    """Replace all data by that in FILE, and name what is lost.

    Stop all processes first. The data of before is kept as another database beside it, so the disk
    must hold both. If anything fails, nothing has changed.

    Needs the owner's database: BOXOFFICE_DATABASE_URL, or that of `boxoffice up`, which must not be
    running.
    """
    with owner_database(may_create=True) as dsn:
        done = restores.restore(dsn, file, force=force)
        if discard:
            restores.discard(dsn, done.replaced)
    lines = [str(loss) for loss in done.losses]
    if losses is not None:
        losses.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for line in lines[:SHOWN]:
        click.echo(line)
    if len(lines) > SHOWN:
        click.echo(f"… and {len(lines) - SHOWN:,} more")
    kept = "" if discard else f" What was there before is the database {done.replaced}."
    click.echo(f"The backup is restored; {len(lines):,} differences to before.{kept}")
