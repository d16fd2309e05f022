"""What is wrong with alembic.ini is said in two lines by every verb; no line of it is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.cli.command import main
from work_data_hub.cli.verb_table import VERBS
from work_data_hub.errors import UsageError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "hunter2"
URL = f"sqlalchemy.url = postgresql://u:{SECRET}@h/x\n"
LOCATION = "script_location = %(here)s/io/schema/migrations"
# What is made of a good alembic.ini, and what is said of it.
BROKEN: dict[str, tuple[Callable[[str], bytes], str]] = {
    "no section": (lambda ini: f"password = {SECRET}\n{ini}".encode(), "line 1 stands before"),
    "a first line": (lambda ini: f"{SECRET}\n{ini}".encode(), "line 1 stands before"),
    "binary": (lambda _: bytes(range(256)), "byte 128 is not utf-8"),
    "latin-1": (
        lambda ini: f"# {SECRET} \xe9\n{URL}{ini}".encode("latin-1"),
        "is not utf-8",
    ),
    "UTF-16": (lambda ini: ini.encode("utf-16"), "byte 0 is not utf-8"),
    "a byte order mark": (lambda ini: ini.encode("utf-8-sig"), "a byte order mark"),
    "an option twice": (
        lambda ini: ini.replace("[alembic]\n", f"[alembic]\nx = {SECRET}\nx = {SECRET}\n").encode(),
        "sets the option x once more",
    ),
    "a section twice": (
        lambda ini: f"{ini}\n[alembic]\n{URL}".encode(),
        "begins the section [alembic] once more",
    ),
    "no option": (
        lambda ini: ini.replace("[alembic]\n", f"[alembic]\n{SECRET} of mine\n").encode(),
        "is neither an option nor a section",
    ),
    "an unknown name": (
        lambda ini: ini.replace(LOCATION, f"script_location = {SECRET}%(nosuch)s").encode(),
        "names no option",
    ),
    "a lone percent": (
        lambda ini: ini.replace(LOCATION, f"script_location = {SECRET}%").encode(),
        "names no option",
    ),
    "a circle": (
        lambda ini: ini.replace(LOCATION, "script_location = %(a)s\na = %(b)s\nb = %(a)s").encode(),
        "names no option",
    ),
    "a NUL": (
        lambda ini: ini.replace(LOCATION, "script_location = \0").encode(),
        "script_location in",
    ),
    "a file": (
        lambda ini: ini.replace(LOCATION, "script_location = %(here)s/alembic.ini").encode(),
        "alembic.ini is no folder",
    ),
    "no folder": (
        lambda ini: ini.replace(LOCATION, "script_location = %(here)s/nowhere").encode(),
        "nowhere does not exist",
    ),
    "no package": (
        lambda ini: ini.replace(LOCATION, "script_location = nosuch:migrations").encode(),
        "the package nosuch",
    ),
    "nothing": (lambda _: b"", "has no script_location"),
}
# Every verb that reads alembic.ini before anything else.
CALLS = [
    ["upgrade"],
    ["upgrade", "+1"],
    ["downgrade", "base"],
    ["downgrade", "--lost", "--yes"],
    ["redo"],
    ["stamp", "head"],
    ["status"],
    ["status", "--check"],
    ["current"],
    ["journal"],
    ["history"],
    ["heads"],
    ["sql"],
    ["verify"],
    ["verify", "--with-database"],
    ["new", "a message"],
    ["new", "--autogenerate", "a message"],
    ["merge"],
    ["rebase", "--yes"],
    ["show"],
    ["edit"],
    ["check"],
    ["doctor"],
    ["drift"],
    ["create"],
    ["reset", "--yes"],
    ["wait", "--timeout", "0.1"],
    ["init"],
    ["init", "--check"],
    ["eject"],
]


def two_lines(text: str) -> bool:
    return [line.partition(":")[0] for line in text.splitlines()] == ["error", "hint"]


@pytest.fixture
def project(
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Path:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    return make_history([revision_body("pass")])


def break_it(project: Path, how: str) -> str:
    ini = project / "alembic.ini"
    change, said = BROKEN[how]
    before = ini.read_text(encoding="utf-8")
    ini.write_bytes(change(before))
    assert ini.read_bytes() != before.encode()
    return said


@pytest.mark.parametrize("how", BROKEN)
def test_every_verb_says_it_in_two_lines(
    how: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = break_it(project, how)
    monkeypatch.chdir(project)
    assert {call[0] for call in CALLS} == VERBS.keys() - {"seed", "completion"}
    for call in CALLS:
        assert main(["db", *call]) == 2, call
        told = capsys.readouterr()
        assert told.out == "", call
        assert two_lines(told.err), (call, told.err)
        assert said in told.err, call
        assert SECRET not in told.err, call


@pytest.mark.parametrize("how", BROKEN)
def test_a_program_is_told_and_no_line_is_in_what_it_came_from(how: str, project: Path) -> None:
    break_it(project, how)
    ini = project / "alembic.ini"
    for call in (migration_runner.upgrade, migration_runner.status, migration_runner.heads):
        with pytest.raises(UsageError) as refused:
            call(alembic_ini=ini)
        chain = [refused.value, refused.value.__cause__, refused.value.__context__]
        assert SECRET not in repr(chain)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("truncate_slug_length = hunter2", "Alembic cannot read it: ValueError"),
        ("version_locations = a b\npath_separator = hunter2", "path_separator"),
    ],
)
def test_an_option_that_alembic_cannot_read_is_a_fault_too(
    option: str, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = project / "alembic.ini"
    text = ini.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith(("truncate", "path_sep"))]
    changed = "\n".join(kept).replace("[alembic]", f"[alembic]\n{option}", 1)
    ini.write_text(changed, encoding="utf-8")
    assert main(["db", "upgrade", "--config", str(ini)]) == 2
    told = capsys.readouterr().err
    assert two_lines(told)
    assert said in told


def test_a_folder_without_env_py_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "io/schema/migrations/env.py").unlink()
    assert main(["db", "upgrade", "--config", str(project / "alembic.ini")]) == 2
    told = capsys.readouterr().err
    assert two_lines(told)
    assert "there is no env.py in" in told


def test_logging_that_cannot_be_set_up_is_a_fault_at_alembic_s_own_door(
    project: Path, alembic: Callable[..., Any]
) -> None:
    ini = project / "alembic.ini"
    text = ini.read_text(encoding="utf-8")
    changed = text.replace("[loggers]\n", f"[loggers]\nkeys = {SECRET}\n[others]\n", 1)
    assert changed != text
    ini.write_text(changed, encoding="utf-8")
    process = alembic("upgrade", "head", cwd=project)
    assert process.returncode == 2
    assert two_lines(process.stderr)
    assert "the logging in" in process.stderr
    assert SECRET not in process.stderr


def test_an_interpolated_url_is_not_repeated_at_alembic_s_own_door(
    project: Path, alembic: Callable[..., Any]
) -> None:
    ini = project / "alembic.ini"
    text = ini.read_text(encoding="utf-8")
    option = f"sqlalchemy.url = postgresql://u:{SECRET}%(nosuch)s@h/x"
    ini.write_text(text.replace("[alembic]\n", f"[alembic]\n{option}\n", 1), encoding="utf-8")
    process = alembic("current", cwd=project)
    assert process.returncode == 2
    assert two_lines(process.stderr)
    assert SECRET not in process.stderr
