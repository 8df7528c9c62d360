"""The embedded PostgreSQL as its users meet it: started, found, orphaned, as root, as anyone, in a closed folder."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from media_ws_ai.embedded import EmbeddedError, Server, binaries, cluster, places
from media_ws_ai.embedded.process import Process
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# A launcher in a process of its own: starts the server, says so, and waits for its stdin to end.
LAUNCHER = """
import sys, json
from pathlib import Path
from media_ws_ai.embedded import Server
server = Server(Path(sys.argv[1]), durable=False)
url = server.start(detach="--detach" in sys.argv)
note = json.loads((server.data_dir / "server.json").read_text())
print(json.dumps({"url": url, "pid": note["server"]["pid"], "data": str(server.data_path)}), flush=True)
if "--detach" not in sys.argv:
    sys.stdin.read()
    server.stop()
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can cross, as a clone in /srv would be."""
    folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder after its first start, to copy: initdb costs most of a second."""
    folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-made-"))
    folder.chmod(0o711)
    server = Server(folder / "postgres", durable=False)
    server.start()
    server.stop()
    yield server.data_dir
    server.remove()
    shutil.rmtree(folder)


@pytest.fixture
def server(open_folder: Path, made: Path) -> Iterator[Server]:
    """A server that was started once and is stopped."""
    subprocess.run(["cp", "-a", made, open_folder], check=True, timeout=30)
    server = Server(open_folder / "postgres", durable=False)
    yield server
    server.remove()


def launch(data_dir: Path, *flags: str, **popen: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(data_dir), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **popen,
    )


def said(launcher: "subprocess.Popen[str]") -> dict[str, Any]:
    assert launcher.stdout is not None
    line = launcher.stdout.readline()
    assert line, "the launcher ended without a word"
    told: dict[str, Any] = json.loads(line)
    return told


def dismiss(launcher: "subprocess.Popen[str]", *, kill: bool = False) -> None:
    if kill:
        launcher.kill()
    if launcher.stdin is not None and not launcher.stdin.closed:
        launcher.communicate(timeout=60)


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url, connect_timeout=15)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def server_process(server: Server) -> Process:
    held = json.loads((server.data_dir / "server.json").read_text())["server"]
    return Process(**held)


def test_data_and_url_outlive_a_restart(server: Server) -> None:
    url = server.start()
    ask(url, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('שלום')")
    assert server.is_running()
    assert server.stop()
    assert server.url is None
    assert not server.is_running()
    assert not server.stop()
    assert server.start() == url
    assert ask(url, "SELECT word, upper('é') FROM kept") == [("שלום", "É")]


def test_it_listens_on_loopback_only_and_wants_the_password(server: Server) -> None:
    url = server.start()
    assert ask(url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert ask(url, "SHOW unix_socket_directories") == [("",)]
    assert ask(url, "SHOW max_connections") == [("200",)]
    password = url.split(":")[2].partition("@")[0]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(url.replace(password, "wrong"))
    assert stat.S_IMODE((server.data_dir / "server.json").stat().st_mode) == 0o600


def test_a_second_owner_attaches_and_its_leaving_stops_nothing(server: Server) -> None:
    url = server.start()
    second = Server(server.data_dir, durable=False)
    with second:
        assert second.url == url
    assert server.is_running()
    assert ask(url, "SELECT 1") == [(1,)]


def test_of_many_launchers_at_once_one_starts(open_folder: Path) -> None:
    launchers = [launch(open_folder / "postgres") for _ in range(3)]
    try:
        told = [said(launcher) for launcher in launchers]
        assert len({one["url"] for one in told}) == 1
        assert len({one["pid"] for one in told}) == 1
    finally:
        for launcher in launchers:
            dismiss(launcher)
        Server(open_folder / "postgres", durable=False).remove()


def test_a_killed_launcher_takes_the_server_along_and_the_next_start_has_the_data(server: Server) -> None:
    launcher = launch(server.data_dir)
    told = said(launcher)
    ask(told["url"], "CREATE TABLE kept AS SELECT 7 AS number")
    process = server_process(server)
    assert server.url == told["url"]
    dismiss(launcher, kill=True)
    assert eventually(lambda: not process.is_alive())
    assert server.url is None
    assert ask(server.start(), "SELECT number FROM kept") == [(7,)]
    assert server_process(server) != process


def test_a_start_right_after_the_kill_waits_for_the_old_server(server: Server) -> None:
    launcher = launch(server.data_dir)
    try:
        said(launcher)
        old = server_process(server)
        launcher.kill()
        launcher.wait(timeout=15)
        url = server.start()
        assert not old.is_alive()
        assert ask(url, "SELECT 1") == [(1,)]
    finally:
        dismiss(launcher)


def test_a_server_killed_outright_is_started_again(server: Server) -> None:
    """Its orphaned pid file names a process that may stay <defunct>: here until our Popen reaps it."""
    url = server.start()
    ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    process = server_process(server)
    os.kill(process.pid, signal.SIGKILL)
    assert eventually(lambda: not process.is_alive())
    assert server.url is None
    second = Server(server.data_dir, durable=False)
    try:
        assert ask(second.start(), "SELECT number FROM kept") == [(7,)]
    finally:
        second.stop()


def test_a_detached_server_outlives_its_launcher(server: Server) -> None:
    launcher = launch(server.data_dir, "--detach")
    told = said(launcher)
    dismiss(launcher)
    assert launcher.returncode == 0
    process = server_process(server)
    assert process.pid == told["pid"]
    assert server.url == told["url"]
    assert server.start() == told["url"]
    assert not server.stop(), "it is not ours to stop"
    assert ask(told["url"], "SELECT 1") == [(1,)]
    assert server.stop(anyone=True)
    assert not process.is_alive()


def test_ctrl_c_in_the_terminal_is_not_for_the_server(server: Server) -> None:
    server.start()
    assert os.getpgid(server_process(server).pid) != os.getpgid(0)


def test_a_taken_port_is_left_to_its_holder(server: Server) -> None:
    url = server.start()
    server.stop()
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        other = server.start()
        assert other != url
        assert ask(other, "SELECT 1") == [(1,)]


def test_a_half_made_data_folder_is_made_anew(open_folder: Path) -> None:
    server = Server(open_folder / "postgres", durable=False)
    half = server.data_dir / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    try:
        assert ask(server.start(), "SELECT 1") == [(1,)]
        assert not half.exists()
    finally:
        server.remove()


def test_what_cannot_be_started_says_why(server: Server) -> None:
    server.start()
    server.stop()
    for part, text, sentence in (
        ("data/postgresql.conf", "nonsense", "did not start: .*syntax error"),
        ("data/PG_VERSION", "9\n", "was made by PostgreSQL 9"),
        ("server.json", "{", "is damaged"),
        ("server.json", None, "with its password is missing"),
    ):
        path = server.data_dir / part
        held = path.read_text()
        path.unlink() if text is None else path.write_text(text)
        with pytest.raises(EmbeddedError, match=sentence):
            server.start()
        path.write_text(held)


def test_stop_is_bounded_with_clients_in_mid_query(server: Server) -> None:
    url = server.start()
    ended = threading.Event()

    def client() -> None:
        with pytest.raises(psycopg2.Error):
            ask(url, "SELECT pg_sleep(60)")
        ended.set()

    thread = threading.Thread(target=client, name="client")
    thread.start()
    eventually(lambda: ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)'")[0][0] >= 1)
    process = server_process(server)
    assert server.stop()
    assert not process.is_alive()
    assert ended.wait(15)
    thread.join(5)


# Interpreter, programs and packages of this run may all lie in folders that are closed to others. So the process
# imports first, becomes another user then, and is shown an interpreter and programs that this user can run.
BECOME = """
import os, sys
from pathlib import Path
import psycopg2
from media_ws_ai.embedded import Server, binaries, cluster
python, root, major, become = sys.argv[2:6]
cluster.BECOME = Path(become)
found = binaries.Binaries(Path(root), int(major))
binaries.find = lambda: found
sys.executable = python
os.setgroups([]); os.setgid({0}); os.setuid({0})
"""


@as_root
def test_as_an_ordinary_user_in_a_closed_folder_everything_stays_in_place(open_folder: Path) -> None:
    nobody = places.User(NOBODY, NOBODY)
    pythons = [Path(sys.executable), *(Path(folder) / "python3" for folder in ("/usr/local/bin", "/usr/bin"))]
    python = next((one for one in pythons if one.exists() and places.can_run(one.resolve(), nobody)), None)
    if python is None:
        pytest.skip("no Python here that another user can run")
    found = binaries.find()
    binaries.copy_programs(found.root, open_folder / "programs")
    become = shutil.copy(cluster.BECOME, open_folder)
    root = open_folder / "programs" / found.root.parent.name / found.root.name
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, NOBODY, NOBODY)
    data_dir = closed / "var" / "postgres"
    launcher = subprocess.Popen(
        [sys.executable, "-c", BECOME.format(NOBODY) + LAUNCHER, data_dir, python, root, str(found.major), become],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        told = said(launcher)
        assert told["data"] == str(data_dir / "data")
        assert ask(told["url"], "SELECT 1") == [(1,)]
        assert data_dir.stat().st_uid == NOBODY
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
        process = Process.find(told["pid"])
        assert process is not None
        dismiss(launcher, kill=True)
        assert eventually(lambda: not process.is_alive())
    finally:
        dismiss(launcher)


@as_root
def test_as_root_behind_a_closed_folder_the_modes_stay_and_the_data_are_found_again() -> None:
    folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-closed-"))
    server = Server(folder / "var" / "postgres", durable=False)
    try:
        url = server.start()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder not in server.data_path.parents
        assert stat.S_IMODE(server.data_path.stat().st_mode) == 0o700
        assert server.data_path.stat().st_uid != 0
        ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
        server.stop()
        found = Server(server.data_dir)  # even by one who would put new data elsewhere
        assert found.data_path == server.data_path
        assert ask(server.start(), "SELECT number FROM kept") == [(7,)]
    finally:
        server.remove()
        assert not server.data_path.exists()
        shutil.rmtree(folder)


@as_root
def test_a_clone_made_anew_in_the_place_of_a_deleted_one_starts_empty_and_keeps_what_was_left() -> None:
    folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-closed-"))
    earlier = Server(folder / "var" / "postgres", durable=False)
    server = Server(folder / "var" / "postgres", durable=False)
    try:
        ask(earlier.start(), "CREATE TABLE kept AS SELECT 7 AS number")
        data = earlier.data_path
        earlier.stop()
        shutil.rmtree(folder / "var")
        assert ask(server.start(), "SELECT to_regclass('kept')") == [(None,)]
        (left,) = data.parent.glob(f"{data.name}.left-*")
        assert (left / "PG_VERSION").exists()
        shutil.rmtree(left)
    finally:
        server.remove()
        shutil.rmtree(folder)


@as_root
def test_programs_behind_a_closed_folder_are_copied_and_run(
    monkeypatch: pytest.MonkeyPatch, open_folder: Path, server: Server
) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    found = binaries.find()
    package = found.root.parent
    (closed / package.name).mkdir()
    (closed / package.name / found.root.name).symlink_to(found.root)
    (closed / f"{package.name}.libs").symlink_to(package.parent / f"{package.name}.libs")
    monkeypatch.setattr(
        binaries, "find", lambda: binaries.Binaries(closed / package.name / found.root.name, found.major)
    )
    monkeypatch.setattr(places, "can_run", lambda program, user: closed not in program.parents)
    home = open_folder / "home"
    home.mkdir(mode=0o711)
    monkeypatch.setattr(places, "home", lambda user, *, lasting: home)
    assert ask(server.start(), "SELECT 1") == [(1,)]
    (copy,) = home.iterdir()
    assert os.readlink(f"/proc/{server_process(server).pid}/exe").startswith(str(copy))
    assert binaries.runnable(places.server_user(server.data_path)).root.is_relative_to(copy)
