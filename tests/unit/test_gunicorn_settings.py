"""gunicorn's two configurations, as production and the benches load them: one place for what they share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFS = {"gevent": ROOT / "gunicorn.conf.py", "gthread": ROOT / "media_ws_ai/bench/gthread_conf.py"}
LOADED = """
import gunicorn.app.base, sys
class Application(gunicorn.app.base.Application):
    def load_config(self):
        self.load_config_from_file(sys.argv[1])
settings = Application().cfg.settings
for name in ("worker_class_str", "workers", "bind", "graceful_timeout", "keepalive", "preload_app", "timeout"):
    value = getattr(Application().cfg, name) if name == "worker_class_str" else settings[name].get()
    print(name, value)
print("hooks", settings["post_fork"].get().__module__, settings["worker_exit"].get().__module__)
"""


def load(mode: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TWILIO_"))}
    for name in ("HOST", "PORT", "WEB_CONCURRENCY", "DRAIN_S"):
        kept.pop(name, None)
    settings = {"ENV": "development", "DATABASE_URL": "postgresql://localhost/x", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", LOADED, str(CONFS[mode])],
        env={**kept, **settings, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("mode", ["gevent", "gthread"])
def test_where_it_listens_and_how_many_come_from_the_settings(mode: str) -> None:
    told = load(mode, HOST="::1", PORT="5123", WEB_CONCURRENCY="3", DRAIN_S="9")
    assert told.stdout.splitlines() == [
        f"worker_class_str {mode}",
        "workers 3",
        "bind ['[::1]:5123']",
        "graceful_timeout 9",
        "keepalive 0",
        "preload_app False",
        "timeout 30",
        "hooks media_ws_ai.runtime.serving media_ws_ai.runtime.serving",
    ], told.stderr


@pytest.mark.parametrize("mode", ["gevent", "gthread"])
def test_a_setting_that_cannot_work_is_a_sentence(mode: str) -> None:
    told = load(mode, PORT="abc", HOST="no host", WEB_CONCURRENCY="500")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    for name in ("PORT", "HOST", "WEB_CONCURRENCY"):
        assert f"{name} is " in told.stderr


def test_the_first_line_patches_before_anything_is_imported() -> None:
    assert CONFS["gevent"].read_text().startswith("from gevent import monkey; monkey.patch_all()")
