"""What is built once is built by one, whoever tidies up beside it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from work_data_hub.errors import MissingError
from work_data_hub.io.schema.ephemeral import cache
from work_data_hub.io.schema.ephemeral.postgres_binaries import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_lock_whose_file_was_removed_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "lock-x", os.open
    removed: list[Path] = []

    def open_and_lose(file: Path, flags: int, mode: int) -> int:
        descriptor = opened(file, flags, mode)
        if not removed:
            removed.append(file)
            file.unlink()  # another process prunes at this very moment
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    with cache.locked(path):
        assert removed == [path]
        assert path.exists(), "the lock that is held is that of the name"
        assert not _gets_it(path)
    assert _gets_it(path)


def _gets_it(path: Path) -> bool:
    got = threading.Event()

    def take() -> None:
        with cache.locked(path):
            got.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return got.wait(0.2)


def test_two_that_tidy_up_at_once_do_not_trip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.time() - 30 * 24 * 3600
    for name in ("kind-a", "kind-b"):
        cache.built_once(tmp_path, name, _fill)
        os.utime(tmp_path / name / "complete", (long_ago, long_ago))
    found = type(tmp_path).glob

    def glob_and_lose(folder: Path, pattern: str) -> list[Path]:
        marks = sorted(found(folder, pattern))
        if pattern.endswith("complete"):
            marks[0].unlink()  # the other one was quicker
        return marks

    monkeypatch.setattr(type(tmp_path), "glob", glob_and_lose)
    cache.built_once(tmp_path, "kind-c", _fill, at_most=1)
    assert (tmp_path / "kind-c").is_dir()
    assert not (tmp_path / "kind-b").exists()


def _fill(folder: Path) -> None:
    (folder / "content").write_text("built")


@pytest.mark.parametrize("ask", [cache_folder])
def test_a_system_that_is_not_of_the_unix_family_is_told_so(
    ask: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "geteuid")
    with pytest.raises(MissingError, match="need Linux or macOS"):
        ask()
