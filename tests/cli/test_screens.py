"""What a person sees, at 60, 80 and 120 columns, with and without colour, in a pipe and dumb."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL
    from tests.warm_python import Started, WarmPythons

WDH = str(Path(sys.executable).with_name("wdh"))
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LONG = "Describe " + "at length " * 12 + "what changes"
CONTROL = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])")


@dataclass
class Terminal:
    """A terminal: as much of one as rich uses.

    Attributes:
        columns: how wide it is; what is written beyond goes on in the next line.
    """

    columns: int

    def __post_init__(self) -> None:
        self.lines: list[str] = [""]
        self.row = self.column = 0
        self.wrapped = 0

    def write(self, text: str) -> None:
        """Show a text, in which each control sequence is whole."""
        position = 0
        while position < len(text):
            found = CONTROL.match(text, position)
            if found:
                self._control(found[1], found[2])
                position = found.end()
                continue
            self._letter(text[position])
            position += 1

    def _letter(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        else:
            if self.column == self.columns:
                self.wrapped += 1
                self.column = 0
                self._letter("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def _control(self, given: str, what: str) -> None:
        if what == "A":
            self.row = max(0, self.row - int(given or 1))
        elif what == "K":
            self.lines[self.row] = "" if given == "2" else self.lines[self.row][: self.column]

    @property
    def shown(self) -> list[str]:
        """What is on it, without the empty lines at its end."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip().split("\n")


@dataclass
class Seen:
    """What a command showed on a terminal."""

    exit_code: int
    raw: str
    screen: list[str]
    wrapped: int


@pytest.fixture
def on_terminal(
    warm_pythons: WarmPythons, wdh_environment: Callable[..., dict[str, str]]
) -> Callable[..., Seen]:
    """Run a command of wdh with a terminal; ``when`` is called with all that it showed so far."""

    def run(
        *words: str,
        project: Path,
        url: URL | str,
        columns: int = 80,
        when: Callable[[str, Started], None] = lambda _seen, _process: None,
        **environment: str,
    ) -> Seen:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        settings = {"TERM": "xterm-256color", **environment}
        environ = wdh_environment(url, **settings)
        environ.pop("COLUMNS", None)  # the terminal says it
        process = warm_pythons.start_on((theirs,) * 3, WDH, *words, cwd=project, env=environ)
        os.close(theirs)
        raw = b""
        while chunk := _read(ours):
            raw += chunk
            when(COLOUR.sub("", raw.decode(errors="replace")), process)
        os.close(ours)
        code = process.wait(60)
        terminal = Terminal(columns)
        terminal.write(raw.decode())
        return Seen(code, raw.decode(), terminal.shown, terminal.wrapped)

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end has been closed
        return b""


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """Three revisions with long descriptions; the last ends when there is a file `go`."""
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.01)"
    folder = make_history(
        [revision_body("pass"), revision_body("pass"), revision_body(wait, "pass")]
    )
    for path in (folder / "io/schema/migrations/versions").glob("*.py"):
        path.write_text(re.sub(r'^"""Step (\d)\."""', rf'"""\1: {LONG}."""', path.read_text()))
    return folder


def live_frames(raw: str, columns: int) -> Iterator[list[str]]:
    """Give what the screen showed each time what lives was about to be taken away."""
    terminal, position = Terminal(columns), 0
    for found in re.finditer(r"\r\x1b\[2K", raw):
        terminal.write(raw[position : found.start()])
        position = found.start()
        yield terminal.shown


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_run_is_whole_at_every_width(
    on_terminal: Callable[..., Seen], project: Path, sqlite_url: URL, columns: int, no_color: str
) -> None:
    def go(seen: str, _process: object) -> None:
        if re.search(r"2/3  ", seen) and re.search(r"20260101_0002.*  0\.[2-9] s", seen):
            (project / "go").touch()

    seen = on_terminal(
        "db",
        "upgrade",
        project=project,
        url=sqlite_url,
        columns=columns,
        when=go,
        NO_COLOR=no_color,
    )
    assert seen.exit_code == 0
    assert seen.wrapped <= 3  # the answer names the database, whatever its length
    done = [line for line in seen.screen if line.startswith("ok  ")]
    assert len(done) == 3
    for number, line in enumerate(done, start=1):
        assert re.fullmatch(
            rf"ok  \[{number}/3\] upgrade 20260101_000{number - 1} .*… \(\d+\.\d\d s\)", line
        )
        assert len(line) <= columns
    frames = [frame for frame in live_frames(seen.raw, columns) if "2/3" in frame[-1]]
    live = frames[-1][-2:]
    assert re.fullmatch(r"[|/\\-]   upgrade 20260101_0002 2: Describe.*…  \d\.\d s", live[0])
    assert re.search(r"2/3  \d s$", live[1])
    assert max(map(len, live)) <= columns
    assert "━" in live[1]
    assert bool(re.search(r"\x1b\[[\d;]*3\dm", seen.raw)) is not bool(no_color)
    assert not [line for line in seen.screen if line.startswith(("|", "/", "-", "\\"))]


def test_the_time_that_is_left_is_told_by_what_the_journal_knows(
    on_terminal: Callable[..., Seen], project: Path, sqlite_url: URL
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(sqlite_url, "20260101_0001", alembic_ini=ini)

    def go(seen: str, _process: object) -> None:
        if "left" in seen:
            (project / "go").touch()

    seen = on_terminal("db", "upgrade", project=project, url=sqlite_url, when=go)
    assert re.search(r"0/1  \d s, about 0 s left", COLOUR.sub("", seen.raw))


def test_ctrl_c_leaves_nothing_that_lives(
    on_terminal: Callable[..., Seen], project: Path, database_url: URL
) -> None:
    sent: list[int] = []

    def interrupt(seen: str, process: Started) -> None:
        if "20260101_0002" in seen and not sent:
            sent.append(1)
            process.send_signal(signal.SIGINT)

    seen = on_terminal("db", "upgrade", project=project, url=database_url, when=interrupt)
    assert seen.exit_code == 130
    # On a machine that is slow it was said, before, what was waited for.
    first = next(n for n, line in enumerate(seen.screen) if line.startswith("ok  "))
    assert [line[:4] for line in seen.screen[first : first + 2]] == ["ok  ", "ok  "]
    told = " ".join(seen.screen[first + 2 :])
    assert told.startswith("error: interrupted: the upgrade of 20260101_0002")
    assert "was rolled back (done before it: 2, the last 20260101_0001)" in "".join(seen.screen)
    rows = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")
    assert (rows[-1].outcome, rows[-1].detail) == ("failed", "interrupted (Ctrl-C)")


@pytest.mark.parametrize(
    ("setting", "has"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_fault_has_colour_on_a_terminal_that_wants_it(
    on_terminal: Callable[..., Seen],
    project: Path,
    sqlite_url: URL,
    setting: dict[str, str],
    has: bool,
) -> None:
    seen = on_terminal("db", "upgrade", "nosuch", project=project, url=sqlite_url, **setting)
    assert seen.exit_code == 3
    assert ("\x1b[1;31merror:\x1b[0m there is no revision" in seen.raw) is has
    assert ("\x1b" in seen.raw) is has
    assert [line.split(" ")[0] for line in seen.screen] == ["error:", "hint:"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_history_is_a_graph_on_a_terminal_that_no_line_leaves(
    on_terminal: Callable[..., Seen], project: Path, sqlite_url: URL, columns: int
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(sqlite_url, "20260101_0001", alembic_ini=ini)
    seen = on_terminal("db", "history", project=project, url=sqlite_url, columns=columns)
    assert (seen.exit_code, seen.wrapped) == (0, 0)
    assert len(seen.screen) == 4
    assert seen.screen[0].startswith("o  20260101_0002  2026-01-01  (head) 2: Describe")
    assert seen.screen[1].startswith("*  20260101_0001  2026-01-01  (database) 1: Describe")
    assert seen.screen[2].startswith("*  20260101_0000  2026-01-01  0: Describe")
    assert seen.screen[3] == "(* applied, o pending; the database is at 20260101_0001)"
    assert [len(line) for line in seen.screen[:3]] == [columns] * 3 or columns > 120
    assert "\x1b[1;32m" in seen.raw


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_nothing_is_coloured(
    on_terminal: Callable[..., Seen], project: Path, sqlite_url: URL, setting: dict[str, str]
) -> None:
    looks = (["history"], ["status"], ["journal"], ["history", "--graph"])
    for words in (*(["db", *look] for look in looks), ["help", "recovery"], ["db", "--help"]):
        seen = on_terminal(*words, project=project, url=sqlite_url, **setting)
        assert seen.exit_code == 0
        assert "\x1b" not in seen.raw


def test_a_pipe_gets_whole_lines_and_no_control(
    wdh: Callable[..., Any], project: Path, sqlite_url: URL
) -> None:
    for words in (["history"], ["status"], ["journal"], ["history", "--graph"]):
        said = wdh(*words, url=sqlite_url, project=project)
        assert (said.exit_code, said.err) == (0, "")
        assert "\x1b" not in said.out
        assert "…" not in said.out
    assert LONG in wdh("status", url=sqlite_url, project=project).out


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://hub:hunter2@127.0.0.1:{server.getsockname()[1]}/hub"


@pytest.mark.parametrize("verb", [["upgrade"], ["status"], ["wait", "--timeout", "5"]])
def test_whoever_waits_for_a_server_is_told(
    start_program: Callable[..., subprocess.Popen[str]],
    wdh_environment: Callable[..., dict[str, str]],
    silent_server: str,
    tmp_path: Path,
    verb: list[str],
) -> None:
    words = ["db", *verb, "--config", "work_data_hub"]
    process = start_program(WDH, *words, cwd=tmp_path, env=wdh_environment(silent_server))
    assert process.stderr is not None
    timer = threading.Timer(30, process.kill)  # no test waits for ever
    timer.start()
    started = time.monotonic()
    told = process.stderr.readline()
    took = time.monotonic() - started
    timer.cancel()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert re.fullmatch(
        r"connecting to postgresql\S*://hub:\*\*\*@127\.0\.0\.1:\d+/hub \.\.\.\n", told
    )
    assert took < 9  # before the ten seconds after which it gives up


def test_wait_says_what_it_waits_for(wdh: Callable[..., Any]) -> None:
    said = wdh("wait", "--timeout", "0.3", url="postgresql://hub@127.0.0.1:1/hub")
    assert said.exit_code == 7
    assert said.err.count("waiting: cannot open") == 1
    quiet = wdh("wait", "--timeout", "0.3", "--quiet", url="postgresql://hub@127.0.0.1:1/hub")
    assert "waiting" not in quiet.err


def test_a_late_failure_says_how_many_were_done_and_the_last(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    sqlite_url: URL,
) -> None:
    bodies = [*["pass"] * 9, "op.execute('SELECT nonsense')"]
    said = wdh("upgrade", url=sqlite_url, project=make_history([revision_body(x) for x in bodies]))
    assert said.exit_code == 6
    assert "(done before it: 9, the last 20260101_0008)" in said.err


def test_the_journal_is_filtered_and_says_who_did_what(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
) -> None:
    project = make_history([revision_body("pass"), revision_body("op.execute('SELECT nonsense')")])
    assert wdh("upgrade", url=database_url, project=project).exit_code == 6

    def rows(*filters: str) -> list[str]:
        said = wdh("journal", *filters, url=database_url, project=project)
        assert said.exit_code == 0
        return [str(line) for line in said.out.splitlines()]

    done, failed = rows()
    user = " as " if database_url.get_backend_name() == "postgresql" else "@"
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC done   upgrade 20260101_0000 Step 0\. ", done
    )
    assert user in done
    assert rows("--failed") == rows("--revision", "20260101_0001") == [failed]
    assert rows("--revision", "20260101", "--last", "1") == [failed]
    assert (
        rows("--since", "2020-01-01") == rows("--until", "2999-01-01T10:00+02:00") == [done, failed]
    )
    nothing = ["nothing of that is in the journal"]
    assert rows("--until", "2020-01-01") == rows("--since", "2999-01-01") == nothing
    assert wdh("journal", "--since", "yesterday", url=database_url).exit_code == 2


def test_a_branched_history_is_drawn_with_authors_and_without_a_database(
    wdh: Callable[..., Any], project: Path
) -> None:
    versions = project / "io/schema/migrations/versions"
    (versions / "20260102_0000_x.py").write_text(
        '"""Other."""\nrevision = "20260102_0000"\ndown_revision = "20260101_0001"\n'
    )
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ["-c", "user.name=Ana Lopez", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *words], cwd=project, check=True)
    url = "postgresql://hub@127.0.0.1:1/hub"
    said = wdh("history", "--graph", url=url, project=project)
    assert said.exit_code == 0
    lanes = [line[:4].rstrip() for line in said.out.splitlines()]
    assert lanes[:5] == ["*", "| *", "|/", "*", "*"]
    assert said.out.count("  2026-01-0") == said.out.count("  Ana Lopez  ") == 4
    assert "(what is applied is not known: cannot open" in said.out
    data = wdh("history", "--graph", "--json", url=url, project=project).data["revisions"]
    assert {(each["author"], each["applied"]) for each in data} == {("Ana Lopez", None)}
    plain = wdh("history", "--json", url=url, project=project).data["revisions"]
    assert set(plain[0]) == {"revision", "down_revisions", "description", "path", "is_head"}


@pytest.mark.parametrize(
    ("columns", "settings"),
    [(60, {}), (80, {"NO_COLOR": "1"}), (120, {"TERM": "dumb"}), (60, {"TERM": "dumb"})],
)
def test_what_is_looked_at_is_whole_on_every_screen(
    on_terminal: Callable[..., Seen],
    project: Path,
    sqlite_url: URL,
    columns: int,
    settings: dict[str, str],
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(sqlite_url, "20260101_0001", alembic_ini=ini)

    def see(*words: str) -> Seen:
        seen = on_terminal(*words, project=project, url=sqlite_url, columns=columns, **settings)
        assert seen.exit_code == 0
        assert not (settings and re.search(r"\x1b\[[\d;]*3\dm", seen.raw))
        assert not ("TERM" in settings and "\x1b" in seen.raw)
        return seen

    status = see("db", "status").screen
    assert "Environment  dev  (session: dev)" in status
    assert any(line.startswith("             20260101_0002 2: Describe at") for line in status)
    journal = "".join(see("db", "journal").screen).replace(" ", "")
    assert journal.count(LONG.replace(" ", "")) == 2
    verbs = see("db", "--help")
    assert verbs.wrapped == 0
    assert "apply what is pending, each revision in its transaction" in " ".join(
        " ".join(verbs.screen).split()
    )
    topic = see("help", "exit-codes")
    assert topic.wrapped == 0 or settings
    assert "Ctrl-C" in topic.screen[-1]
