"""The lock of a SQLite file is a lock, whatever is done to the file beside the database."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.errors import DatabaseUnavailableError, LockTimeoutError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.locks import file_lock
from work_data_hub.io.schema.locks.file_lock import FileLock

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "poetry"


@pytest.fixture
def beside(database: Path) -> Path:
    return database.with_name("poetry.lock")


def test_who_waited_for_a_file_that_was_deleted_takes_the_new_one(
    database: Path, beside: Path
) -> None:
    first, second, third = FileLock(database), FileLock(database), FileLock(database)
    assert first.try_to_take()
    assert not second.try_to_take()
    beside.unlink()
    first.release()
    assert not second.try_to_take()  # it got the lock of a file that nobody sees any more
    assert second.try_to_take()
    assert not third.try_to_take()
    for lock in (second, third):
        lock.release()


def test_a_run_whose_lock_file_is_deleted_ends_before_its_next_revision(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    delete = f"import os\nos.unlink({sqlite_url.database + '.lock'!r})"  # type: ignore[operator]
    project = make_history([revision_body(delete), revision_body("pass")])
    with pytest.raises(LockTimeoutError, match="was deleted"):
        run_alembic(project, sqlite_url, "upgrade", "head")
    assert migration_runner.current(sqlite_url) == ("20260101_0000",)
    run_alembic(project, sqlite_url, "upgrade", "head")


@pytest.mark.parametrize("content", [b"[[package]]\n", b"{}", b'{"user": 1}', b"\xff\x00", b"[]"])
def test_a_file_of_that_name_that_is_not_ours_is_locked_and_keeps_its_content(
    database: Path, beside: Path, content: bytes
) -> None:
    beside.write_bytes(content)
    first, second = FileLock(database), FileLock(database)
    assert first.try_to_take()
    assert not second.try_to_take()
    assert beside.read_bytes() == content
    assert second.holder() == "it has just begun"
    first.release()
    second.release()


def test_what_we_wrote_is_written_anew(database: Path, beside: Path) -> None:
    for _ in range(2):
        lock = FileLock(database)
        assert lock.try_to_take()
        assert json.loads(beside.read_text())["process"] == os.getpid()
        lock.release()


def test_a_link_is_not_followed(database: Path, beside: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    beside.symlink_to(victim)
    with pytest.raises(DatabaseUnavailableError, match="ELOOP") as refused:
        FileLock(database).try_to_take()
    assert "remove it" in refused.value.hint
    assert victim.read_text() == ""
    beside.unlink()
    assert FileLock(database).try_to_take()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO, errno.EBADF])
def test_what_cannot_be_locked_is_not_taken_for_held(
    sqlite_url: URL, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def cannot(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(file_lock, "_lock", cannot)
    with pytest.raises(DatabaseUnavailableError, match=errno.errorcode[code]) as refused:
        migration_runner.upgrade(sqlite_url)
    assert "cannot lock" in refused.value.hint


@pytest.mark.parametrize("code", sorted(file_lock._HELD))
def test_what_is_held_is_waited_for(
    sqlite_url: URL, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    lock, tries = file_lock._lock, []

    def held_once(descriptor: int) -> None:
        tries.append(descriptor)
        if len(tries) == 1:
            raise OSError(code, os.strerror(code))
        lock(descriptor)

    monkeypatch.setattr(file_lock, "_lock", held_once)
    assert migration_runner.upgrade(sqlite_url).steps
    assert len(tries) == 2


def test_a_lock_file_that_we_may_only_read_is_locked_all_the_same(
    database: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that root has made; root, who may run this test, could write to it."""
    beside.write_text("")
    opened = os.open

    def as_somebody_else(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", as_somebody_else)
    first, second = FileLock(database), FileLock(database)
    assert first.try_to_take()
    assert not second.try_to_take()
    assert beside.read_text() == ""
    first.release()
    assert second.try_to_take()
    second.release()


def test_a_lock_file_that_we_may_not_even_read_says_whose_it_is(
    database: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.write_text("")

    def refused(*_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(DatabaseUnavailableError) as unavailable:
        FileLock(database).try_to_take()
    assert "chmod a+r" in unavailable.value.hint


def test_a_fault_without_a_number_is_worded(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(DatabaseUnavailableError, match=r"cannot open .* \(unknown\)"):
        FileLock(database).try_to_take()
