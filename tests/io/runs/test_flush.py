"""Spool files: loaded once in effect, however often, by whomever, and whatever dies in between."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.engine import URL

from work_data_hub.domain.runs.entry import Entry
from work_data_hub.errors import DatabaseUnavailableError, UsageError
from work_data_hub.io.runs import metadata, record_run
from work_data_hub.io.runs.flush import Flushed, flush
from work_data_hub.io.runs.run_database import run_database
from work_data_hub.io.runs.spool import SUFFIX, SpoolFile, spool_files
from work_data_hub.io.runs.writer import Writer
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

METRICS = 5
ENTRY = Entry({"execution_id": "1", "status": "running"})


@pytest.fixture
def spooled(migrated_database: URL, spool: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three files of runs, two of which ended, said while the database was away."""
    with monkeypatch.context() as away:
        away.setattr(Writer, "use", _away)
        for number in range(3):
            with record_run(f"orders_{number}", url=migrated_database, wait_seconds=10) as run:
                for value in range(METRICS):
                    run.metric("late", value)
                run.rows("load", number)
    files = spool_files(spool)
    assert len(files) == 3
    # The last one died: nobody said how it ended. Ids of one millisecond are in any order.
    (last,) = (file for file in files if "orders_2" in file.read_text(encoding="utf-8"))
    lines = last.read_text(encoding="utf-8").splitlines(keepends=True)
    last.write_text("".join(line for line in lines if "success" not in line), encoding="utf-8")
    return files


def _away(*_: object) -> None:
    raise DatabaseUnavailableError("it is away", hint="wait")


def assert_all_is_there_once(rows: Any) -> None:
    assert [run["status"] for run in rows.runs] == ["success", "success", "running"]
    for run in rows.runs:
        values = [m for m in rows.metrics if m["execution_id"] == run["execution_id"]]
        assert len(values) <= METRICS
        assert len({metric["metric_value"] for metric in values}) == len(values)
    assert len(rows.metrics) >= 2 * METRICS
    assert [run["row_counts"] for run in rows.runs[:2]] == [{"load": 0}, {"load": 1}]


def test_flushing_twice_changes_nothing_the_second_time(
    spooled: list[Path], migrated_database: URL, rows: Any
) -> None:
    copies = [(file, file.read_bytes()) for file in spooled]
    first = flush(run_database(migrated_database))
    assert first.loaded == spooled
    assert len(first.runs) == 3
    before = (rows.runs, rows.metrics)
    for file, content in copies:
        file.write_bytes(content)
    again = flush(run_database(migrated_database))
    assert again.metrics == first.metrics
    after = (rows.runs, rows.metrics)
    assert after[1] == before[1]
    unchanged = [{**run, "updated_at": None} for run in before[0]]
    assert [{**run, "updated_at": None} for run in after[0]] == unchanged
    assert_all_is_there_once(rows)
    assert flush(run_database(migrated_database)) == Flushed([], [], 0, [], [], [])


@pytest.mark.parametrize("dies_at", range(12))
def test_a_flush_that_dies_in_the_middle_is_gone_on_with(
    spooled: list[Path],
    migrated_database: URL,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
    dies_at: int,
) -> None:
    done: list[object] = []

    def write(self: Writer, entry: Any) -> None:
        if len(done) == dies_at:
            raise MemoryError
        done.append(entry)
        real(self, entry)

    real = Writer.write
    with monkeypatch.context() as dying:
        dying.setattr(Writer, "write", write)
        try:
            flush(run_database(migrated_database))
        except MemoryError:
            assert spool_files(spooled[0].parent)
    flush(run_database(migrated_database))
    assert spool_files(spooled[0].parent) == []
    assert_all_is_there_once(rows)


def test_a_process_that_is_killed_before_it_removes_a_file_doubles_nothing(
    spooled: list[Path], migrated_database: URL, rows: Any
) -> None:
    program = """
import os, signal, sys
from work_data_hub.io.runs import spool
from work_data_hub.io.runs.flush import flush
from work_data_hub.io.runs.run_database import run_database
spool.SpoolFile.remove = lambda self: os.kill(os.getpid(), signal.SIGKILL)
flush(run_database(sys.argv[1]))
"""
    url = migrated_database.render_as_string(hide_password=False)
    for _ in range(2):
        process = subprocess.run([sys.executable, "-c", program, url], check=False, timeout=60)
        assert process.returncode == -9
    assert spool_files(spooled[0].parent) == spooled
    flush(run_database(migrated_database))
    assert_all_is_there_once(rows)


def test_several_who_flush_at_once_share_the_work(
    spooled: list[Path], migrated_database: URL, rows: Any
) -> None:
    results: list[Flushed] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        results.append(flush(run_database(migrated_database)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path for result in results for path in result.loaded) == spooled
    assert_all_is_there_once(rows)


def test_a_file_of_a_run_that_goes_on_is_left_to_it(
    migrated_database: URL, rows: Any, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(Writer, "use", _away)
        run = record_run("orders", url=migrated_database)
        run.__enter__()
    (file,) = spool_files(spool)
    assert flush(run_database(migrated_database)).in_use == [file]
    run.__exit__(None, None, None)
    assert spool_files(spool) == []
    assert rows.run["status"] == "success"


def test_a_file_of_another_database_is_loaded_only_when_it_is_named(
    spooled: list[Path], tmp_path: Path, rows_of: Callable[[URL], Any]
) -> None:
    other = URL.create("sqlite", database=str(tmp_path / "other.db"))
    metadata.create_all(create_engine(other))
    found = flush(run_database(other))
    assert [path for path, _ in found.elsewhere] == spooled
    assert all("password" not in label and "***" not in label for _, label in found.elsewhere)
    assert rows_of(other).runs == []
    assert flush(run_database(other), spooled[:1]).loaded == spooled[:1]
    assert rows_of(other).run["pipeline_name"] == "orders_0"


def test_hosts_one_by_one_and_in_a_list_are_the_same_database() -> None:
    one_by_one, in_a_list = (
        run_database(f"postgresql://me@/hub?{hosts}") for hosts in ("host=a&host=b", "host=a,b")
    )
    assert one_by_one.label == in_a_list.label == "postgresql://a,b:/hub"


def test_a_line_that_was_cut_off_was_never_said(
    spooled: list[Path], migrated_database: URL, rows: Any
) -> None:
    for file in spooled:
        with file.open("ab") as stream:
            stream.write(b'{"run": {"execution_id": "')
    assert flush(run_database(migrated_database)).damaged == []
    assert_all_is_there_once(rows)


def test_half_of_a_line_that_found_no_space_does_not_spoil_the_next_one(spool: Path) -> None:
    file = SpoolFile.of_run("1", "sqlite:///a")
    before = file.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.append(ENTRY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.path.read_bytes() == before
    file.append(ENTRY)
    assert file.content().entries == [ENTRY]
    file.close()


def test_a_line_that_cannot_be_read_is_kept_and_the_others_are_loaded(
    spooled: list[Path], migrated_database: URL, rows: Any
) -> None:
    lines = spooled[0].read_bytes().splitlines(keepends=True)
    spooled[0].write_bytes(b"".join([lines[0], b"\xff nonsense\n", *lines[1:]]))
    found = flush(run_database(migrated_database))
    assert [path.name for path in found.damaged] == [f"{spooled[0].name}.damaged"]
    assert b"nonsense" in found.damaged[0].read_bytes()
    assert found.loaded == spooled[1:]
    assert_all_is_there_once(rows)


@pytest.mark.parametrize("content", [b"", b'{"format": 1, "datab'])
def test_a_file_in_which_nothing_was_said_yet_is_removed(
    spool: Path, migrated_database: URL, content: bytes
) -> None:
    spool.mkdir()
    (spool / f"1{SUFFIX}").write_bytes(content)
    assert len(flush(run_database(migrated_database)).loaded) == 1
    assert spool_files(spool) == []


def test_a_file_of_another_format_is_left(spool: Path, migrated_database: URL) -> None:
    spool.mkdir()
    file = spool / f"1{SUFFIX}"
    header, entry = {"format": 2, "database": "a"}, {"run": {"execution_id": "1", "status": "x"}}
    file.write_text(f"{json.dumps(header)}\n{json.dumps(entry)}\n", encoding="utf-8")
    assert flush(run_database(migrated_database)).elsewhere == [(file, "")]
    assert file.exists()


def test_a_database_that_is_away_leaves_the_files(
    spooled: list[Path], migrated_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writer, "use", _away)
    with pytest.raises(DatabaseUnavailableError):
        flush(run_database(migrated_database))
    assert spool_files(spooled[0].parent) == spooled


def test_a_name_that_is_no_file_is_said(migrated_database: URL, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        flush(run_database(migrated_database), [tmp_path / "none"])


def test_a_spool_folder_that_goes_while_a_file_is_made_is_said(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(spool), "mkdir", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError):
        SpoolFile.of_run("1", "sqlite:///a")


def test_a_forked_child_keeps_no_file_locked(spool: Path) -> None:
    file = SpoolFile.of_run("1", "sqlite:///a")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[file._descriptor]) as child:
        file.close()
        again = SpoolFile.locked(file.path)
        assert again is not None
        again.close()
        child.communicate()


def test_a_spool_file_that_was_loaded_is_made_again(spool: Path) -> None:
    first = SpoolFile.of_run("1", "sqlite:///a")
    assert SpoolFile.locked(first.path) is None
    first.path.unlink()  # as somebody who loaded it
    second = SpoolFile.of_run("1", "sqlite:///a")
    assert second.content().database == "sqlite:///a"
    first.close()
    second.close()
