"""A worker that is patched by halves does not start."""

import subprocess
import sys

import pytest

GREEN = "from gevent import monkey; monkey.patch_all();"
PSYCOGREEN = "from psycogreen.gevent import patch_psycopg; patch_psycopg();"
CHECK = "from media_ws_ai.runtime import serving; serving.check_wiring()"


@pytest.mark.parametrize(("wiring", "starts"), [(GREEN, False), (GREEN + PSYCOGREEN, True), ("", True)])
def test_greenlets_need_a_database_driver_that_waits_as_they_do(wiring: str, starts: bool) -> None:
    done = subprocess.run([sys.executable, "-c", wiring + CHECK], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) is starts, done.stderr
    assert starts or "ContractError: gevent is in force and psycogreen is not" in done.stderr
