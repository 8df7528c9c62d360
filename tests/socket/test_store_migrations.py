"""The migrations: repeatable, safe when two start at once, and equal to the models."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from media_ws_ai.store import models
from scheduling import migrations
from scheduling.base import metadata
from scheduling.db import make_engine

ROOT = Path(__file__).parents[2]
UPGRADE = "import sys; from scheduling.migrations import upgrade; upgrade(sys.argv[1])"


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return set(inspect(connection).get_table_names())
    finally:
        engine.dispose()


def test_models_and_migrated_database_are_the_same(database_url: str) -> None:
    assert models.CallRow.metadata is metadata
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            assert compare_metadata(context, metadata) == []
            # compare_metadata does not look at these two.
            seen = inspect(connection)
            for table in metadata.sorted_tables:
                named = {constraint["name"] for constraint in seen.get_check_constraints(table.name)}
                assert named == {
                    constraint.name
                    for constraint in table.constraints
                    if type(constraint).__name__ == "CheckConstraint"
                }
                assert seen.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
    finally:
        engine.dispose()


def test_upgrade_may_be_repeated(empty_database_url: str) -> None:
    for _ in range(2):
        migrations.upgrade(empty_database_url)
    assert {"businesses", "calls", "call_events", "stream_tokens", "alembic_version"} <= tables(empty_database_url)


def test_upgrade_takes_herokus_spelling(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url.replace("postgresql://", "postgres://"))
    assert "calls" in tables(empty_database_url)


def test_processes_that_upgrade_at_once_all_succeed(empty_database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", UPGRADE, empty_database_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert "calls" in tables(empty_database_url)


def test_no_server_is_an_error_that_says_so() -> None:
    with pytest.raises(OperationalError, match="refused"):
        migrations.upgrade("postgresql://u@127.0.0.1:1/none")
