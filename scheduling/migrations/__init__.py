"""The one Alembic environment, run by the program itself: no alembic.ini, no command line.

A migration is a hand-written file in `versions/`, named r<number>_<what>.py, additive while two releases may overlap.
The scripts name their tables themselves, so that nothing here needs the packages that own the models; a test compares
the migrated database with the metadata, so that the two cannot drift.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from scheduling.db import make_engine

ADVISORY_LOCK: Final = 0x6D65646961
"""Held in PostgreSQL while migrating ("media"): a second process waits for the first, then finds nothing to do."""

WAIT_FOR_OTHER_S: Final = 120
DDL_LOCK_TIMEOUT_S: Final = 10
"""A table that a running worker uses is waited for this long; longer would queue every call's queries behind us."""


def upgrade(url: str) -> None:
    """Bring the database to the newest revision; all of it or nothing. May be repeated, also by several processes.

    Raises: ValueError for a URL that is none; sqlalchemy.exc.OperationalError when the database cannot be reached or
        a lock is not given in time; whatever the server says about a migration.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = make_engine(url, 1, statement_timeout_ms=0, lock_timeout_ms=WAIT_FOR_OTHER_S * 1000)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{DDL_LOCK_TIMEOUT_S}s'"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
