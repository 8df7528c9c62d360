"""`media-ws-ai db upgrade` and `db seed` as a person uses them: it works, or one sentence says why not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from media_ws_ai.cli.db import db


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(db, list(arguments), env={"DATABASE_URL": url})


def test_upgrade_then_seed(empty_database_url: str) -> None:
    early = run(empty_database_url, "seed")
    assert early.exit_code == 1
    assert "db upgrade" in early.output
    assert run(empty_database_url, "upgrade").exit_code == 0
    seeded = run(empty_database_url, "seed")
    assert seeded.exit_code == 0
    assert "added: מרפאת שיניים כרמל, +97248000000, he (business 1)" in seeded.output


def test_a_file_of_ones_own_with_its_faults(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    mine = {"name": "Mine", "phone": "031234567", "greeting": "Hello.", "prompt": "Be kind.", "voice": "nova"}
    file.write_text(json.dumps(mine))
    refused = run(database_url, "seed", "--file", str(file))
    assert refused.exit_code == 1
    assert "phone must be an international number" in refused.output
    assert "voice must be one of" in refused.output
    file.write_text(json.dumps({**mine, "phone": "+97231234567", "voice": "marin"}))
    assert "added: Mine" in run(database_url, "seed", "--file", str(file)).output


@pytest.mark.parametrize(
    ("url", "said"), [("postgresql://u@127.0.0.1:1/none", "refused"), ("mysql://u@h/d", "begins with postgresql://")]
)
@pytest.mark.parametrize("command", ["upgrade", "seed"])
def test_no_database_is_one_sentence(url: str, said: str, command: str) -> None:
    result = run(url, command)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output
