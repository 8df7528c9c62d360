"""`media-ws-ai db …`: the embedded server started, found and stopped; tables and seeds for whichever database.

DATABASE_URL, when set, is the database that url, upgrade and seed mean.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from media_ws_ai.embedded import EmbeddedError, Server, default_data_dir

T = TypeVar("T")
NONE_RUNS = (
    "No database: DATABASE_URL is not set and the embedded server does not run; start it with `media-ws-ai db start`."
)


@click.group()
def db() -> None:
    """The database: start, stop, url, upgrade, seed."""


@db.command()
def start() -> None:
    """Start the embedded server and leave it running, its tables up to date."""
    from scheduling import migrations

    server = Server(default_data_dir())
    found = _plainly(server.is_running)
    url = _plainly(lambda: server.start(detach=True))
    migrations.upgrade(url)
    click.echo(url)
    click.echo(f"{'It runs already' if found else 'Started'}; its data lie in {server.data_path}.", err=True)
    if os.environ.get("DATABASE_URL"):
        click.echo("DATABASE_URL is set and names the database in use; this server is not it.", err=True)


@db.command()
def stop() -> None:
    """Stop the embedded server, whoever started it."""
    stopped = _plainly(lambda: Server(default_data_dir()).stop(anyone=True))
    click.echo("Stopped." if stopped else "None was running.", err=True)


@db.command()
def url() -> None:
    """Print the URL of the database in use."""
    click.echo(_database_url())


@db.command()
def upgrade() -> None:
    """Bring the tables to the newest form."""
    from scheduling import migrations

    _reachable(migrations.upgrade)
    click.echo("The tables are up to date.", err=True)


@db.command()
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Businesses as JSON, upserted by phone number; without it the demo business.",
)
def seed(path: Path | None) -> None:
    """Put businesses into the database."""
    from media_ws_ai.store.seed import seed as put
    from media_ws_ai.store.seed_file import SeedError

    try:
        lines = _reachable(lambda url: put(url, path))
    except SeedError as refused:
        raise click.ClickException(str(refused)) from refused
    for line in lines:
        click.echo(line)


def _database_url() -> str:
    """Raises: click.ClickException when there is no database."""
    named = os.environ.get("DATABASE_URL", "").strip()
    if named:
        return "postgresql://" + named.removeprefix("postgres://") if named.startswith("postgres://") else named
    found = _plainly(lambda: Server(default_data_dir()).url)
    if found is None:
        raise click.ClickException(NONE_RUNS)
    return found


def _reachable(work: Callable[[str], T]) -> T:
    """What the database's URL or the server refuses, as one sentence and exit status 1."""
    from psycopg2.errors import UndefinedTable
    from sqlalchemy.exc import OperationalError, ProgrammingError

    url = _database_url()
    try:
        return work(url)
    except ValueError as wrong:
        raise click.ClickException(f"DATABASE_URL: {wrong}") from wrong
    except OperationalError as down:
        raise click.ClickException(f"The database does not do it: {str(down.orig).strip()}") from down
    except ProgrammingError as refused:
        said = str(refused.orig).partition("\n")[0]
        if isinstance(refused.orig, UndefinedTable):
            said += "; `media-ws-ai db upgrade` makes the tables"
        raise click.ClickException(f"The database does not do it: {said}.") from refused


def _plainly(ask: Callable[[], T]) -> T:
    """What the embedded server refuses, as one sentence and exit status 1."""
    try:
        return ask()
    except EmbeddedError as refused:
        raise click.ClickException(str(refused)) from refused
