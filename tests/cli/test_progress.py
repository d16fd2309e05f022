"""A terminal shows a live line, a pipe gets plain lines; both name who blocks."""

from __future__ import annotations

import os
import pty
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.io.schema import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons

WDH = str(Path(sys.executable).with_name("wdh"))
ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def on_terminal(
    warm_pythons: WarmPythons, wdh_environment: Callable[..., dict[str, str]]
) -> Callable[..., str]:
    """Run `wdh db upgrade` with a terminal for its standard error; return what it showed.

    ``until`` is a pattern; when it was shown, the project's slow revision may end.
    """

    def run(project: Path, url: URL, until: str = "", **environment: str) -> str:
        ours, theirs = pty.openpty()
        environ = wdh_environment(url, **{"TERM": "xterm-256color", **environment})
        with Path(os.devnull).open("w") as nowhere:
            streams = (theirs, nowhere.fileno(), theirs)
            process = warm_pythons.start_on(streams, WDH, "db", "upgrade", cwd=project, env=environ)
        os.close(theirs)
        seen = ""
        while chunk := _read(ours):
            seen += chunk.decode()
            if re.search(until, COLOUR.sub("", seen)):
                (project / "go").touch()
        os.close(ours)
        process.wait(60)
        return seen

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end has been closed
        return b""


@pytest.fixture
def slow_project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """Two revisions; the second ends when there is a file `go`."""
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.01)"
    return make_history([revision_body("pass"), revision_body(wait, "pass")])


def test_a_terminal_gets_a_line_for_each_revision_and_a_live_one(
    on_terminal: Callable[..., str], slow_project: Path, database_url: URL
) -> None:
    live = r"[|/\\-]   upgrade 20260101_0001 Step 1\.  0\.[1-9] s"
    seen = on_terminal(slow_project, database_url, until=live)
    plain = COLOUR.sub("", seen)
    assert re.search(r"ok  \[1/2\] upgrade 20260101_0000 Step 0\. \(0\.\d\d s\)", plain)
    assert re.search(r"ok  \[2/2\] upgrade 20260101_0001 Step 1\. \(\d+\.\d\d s\)", plain)
    assert re.search(live, plain)
    assert COLOUR.search(seen)


def test_no_color_is_honoured(
    on_terminal: Callable[..., str], slow_project: Path, sqlite_url: URL
) -> None:
    seen = on_terminal(slow_project, sqlite_url, NO_COLOR="1")
    assert "[2/2]" in seen
    assert not re.search(r"\x1b\[[\d;]*3\dm", seen)


@pytest.mark.parametrize("terminal", ["dumb", "unknown"])
def test_a_terminal_that_can_show_no_more_gets_plain_lines(
    on_terminal: Callable[..., str], slow_project: Path, sqlite_url: URL, terminal: str
) -> None:
    seen = on_terminal(slow_project, sqlite_url, TERM=terminal)
    assert ESCAPE not in seen
    assert seen.startswith("[1/2] upgrade 20260101_0000 Step 0.")


def test_a_pipe_gets_plain_lines(
    wdh_process: Callable[..., Any], slow_project: Path, database_url: URL
) -> None:
    (slow_project / "go").touch()
    said = wdh_process("db", "upgrade", url=database_url, cwd=slow_project)
    assert ESCAPE not in said.err
    first, second = said.err.splitlines()
    assert re.fullmatch(r"\[1/2\] upgrade 20260101_0000 Step 0\. \(\d+\.\d\d s\)", first)
    assert re.fullmatch(r"\[2/2\] upgrade 20260101_0001 Step 1\. \(\d+\.\d\d s\)", second)


def test_a_fault_leaves_no_live_line_behind(
    on_terminal: Callable[..., str],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
) -> None:
    project = make_history([revision_body("op.execute('SELECT nonsense')")])
    seen = COLOUR.sub("", on_terminal(project, database_url))
    error, hint = seen.splitlines()[-2:]
    assert "error: upgrade 20260101_0000 failed" in error
    assert hint.startswith("hint: ")
    assert seen.rindex("\x1b[?25h") < seen.rindex("error: ")  # the cursor is back


def test_nothing_to_do_shows_nothing_on_a_terminal(
    on_terminal: Callable[..., str], slow_project: Path, sqlite_url: URL
) -> None:
    on_terminal(slow_project, sqlite_url)
    assert on_terminal(slow_project, sqlite_url) == ""


@pytest.mark.parametrize("is_terminal", [False, True])
def test_who_blocks_the_run_is_named(
    on_terminal: Callable[..., str],
    wdh_process: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    postgresql_url: URL,
    is_terminal: bool,
) -> None:
    project = make_history(
        [revision_body("op.execute('ALTER TABLE busy ADD COLUMN more INTEGER')")]
    )
    limits = {"WDH_LOCK_TIMEOUT": "1", "WDH_LOCK_DEADLINE": "0"}
    with engine.connect(postgresql_url) as connection:
        connection.exec_driver_sql("CREATE TABLE busy (id INTEGER)")
        connection.commit()
        connection.execute(sa.text("SELECT * FROM busy"))
        (pid,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
        if is_terminal:
            said = on_terminal(project, postgresql_url, **limits)
        else:
            said = wdh_process("db", "upgrade", url=postgresql_url, cwd=project, env=limits).err
    assert f"waiting: upgrade 20260101_0000 Step 0. waits for pid {pid}" in COLOUR.sub("", said)
    assert "its locks were held by" in said
