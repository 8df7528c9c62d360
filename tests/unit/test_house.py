"""The house itself: contracts that name every room, pins without surprises, commands that exist."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*(; python_version (<|>=) \"3\.\d+\")?")


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_witness_contract_forbids_every_room_of_the_worker(setup_cfg: configparser.ConfigParser) -> None:
    rooms = {
        f"media_ws_ai.{path.stem}"
        for path in (ROOT / "media_ws_ai").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"media_ws_ai.__init__", "media_ws_ai.__main__", "media_ws_ai.peers"}
    forbidden = set(setup_cfg["importlinter:contract:witness"]["forbidden_modules"].split())
    assert rooms - forbidden == set(), "add these to the contract `witness` in setup.cfg"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_exact_pins_and_name_no_place(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or PIN.fullmatch(line), f"{name}: {line}"


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                package = line.partition("==")[0]
                assert re.search(rf"^\|[^|]*\b{re.escape(package)}\b", reasons, re.MULTILINE), package


def test_pytest_reads_its_settings_from_setup_cfg_alone(setup_cfg: configparser.ConfigParser) -> None:
    assert setup_cfg["tool:pytest"]["filterwarnings"].split("\n")[1] == "error"
    for rival in ("pytest.ini", "pytest.toml", ".pytest.ini", "tox.ini"):
        assert not (ROOT / rival).exists()
    assert "[tool." not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
