"""A run executes the revision files that it runs, and no other; Alembic decides as if it had."""

from __future__ import annotations

import inspect
import py_compile
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap

from work_data_hub.errors import HistoryError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, Request
from work_data_hub.io.schema.alembic_bridge.revision_map import ReadScript, read_when_needed
from work_data_hub.io.schema.revisions import cache as revision_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

ENV = """
from alembic import context
from work_data_hub.io.schema.environment import run
run(context)
"""
SAID = """
with (Path(__file__).parents[2] / "executed").open("a") as log:
    log.write(revision + "\\n")
"""
DECEIVING = """
import sys
def change(name, value):
    sys._getframe(1).f_globals[name] = value
"""


class Project:
    """A project of which each revision makes a table, and says when its file is executed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = folder / "m" / "versions"
        self.versions.mkdir(parents=True)
        (folder / "m" / "env.py").write_text(ENV)
        self.ini = folder / "alembic.ini"
        self.ini.write_text("[alembic]\nscript_location = %(here)s/m\n")

    def write(self, revision: str, parent: Any = None, text: str = "", after: str = "") -> Path:
        """Write a revision.

        Args:
            revision: its id.
            parent: its down_revision.
            text: what stands before what it declares.
            after: what stands behind all the rest.
        """
        file = self.versions / f"{revision}.py"
        file.write_text(
            f'"""Make {revision}."""\n\nfrom pathlib import Path\nimport sqlalchemy as sa\n'
            f"from alembic import op\n{dedent(text)}\n"
            f"revision = {revision!r}\ndown_revision = {parent!r}\n{SAID}\n\n"
            f'def upgrade():\n    op.create_table("{revision}", sa.Column("n", sa.Integer))\n\n'
            f'def downgrade():\n    op.drop_table("{revision}")\n\n{dedent(after)}\n'
        )
        return file

    def write_chain(self, length: int) -> None:
        for number in range(length):
            self.write(f"r{number}", f"r{number - 1}" if number else None)

    def executed(self) -> list[str]:
        """Return whose files were executed since this was asked last, in that order."""
        log = self.folder / "executed"
        found = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return found

    def scripts(self) -> ScriptDirectory:
        """Return Alembic's view of the files, made to read them."""
        config = Config(str(self.ini))
        scripts = ScriptDirectory.from_config(config)
        read_when_needed(scripts, config)
        return scripts


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def run(project: Project, database_url: URL) -> Callable[..., None]:
    """Run a verb of ``alembic.command``, as a program does."""

    def call(verb: str, *arguments: str, **options: Any) -> None:
        config = Config(str(project.ini), attributes={REQUEST: Request(database_url=database_url)})
        getattr(command, verb)(config, *arguments, **options)

    return call


def tables(url: URL) -> set[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return {name for name in sa.inspect(engine).get_table_names() if name.startswith("r")}


def test_a_run_executes_what_it_runs(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(5)
    run("upgrade", "r2")
    assert project.executed() == ["r0", "r1", "r2"]
    run("upgrade", "head")
    assert project.executed() == ["r3", "r4"]
    run("downgrade", "-1")
    assert project.executed() == ["r4"]
    run("downgrade", "base")
    assert project.executed() == ["r3", "r2", "r1", "r0"]
    assert tables(database_url) == set()


def test_what_runs_nothing_executes_nothing(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(3)
    migration_runner.stamp(database_url, "r1", confirm_drift=True, alembic_ini=project.ini)
    run("current")
    migration_runner.status(database_url, alembic_ini=project.ini)
    migration_runner.stamp(database_url, confirm_drift=True, alembic_ini=project.ini)
    run("upgrade", "head")
    assert project.executed() == []


def test_a_file_that_cannot_be_imported_stops_only_the_run_that_needs_it(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(3)
    run("upgrade", "r1")
    broken = project.write("r1", "r0", "import a_package_that_is_gone")
    project.write("r3", "r2")
    run("stamp", "head")  # an edited revision is the check's to warn of, not the loader's
    project.write("r4", "r3")
    run("upgrade", "head")
    assert "r4" in tables(database_url)
    with pytest.raises(HistoryError, match="a_package_that_is_gone") as refusal:
        run("downgrade", "base")
    assert f"{broken}:6" in refusal.value.message
    assert {"r0", "r1", "r4"} <= tables(database_url)


def test_a_fresh_database_is_refused_before_its_first_statement(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(3)
    broken = project.write("r2", "r1", 'raise ValueError("no")')
    with pytest.raises(HistoryError) as refusal:
        run("upgrade", "head")
    assert f"{broken}:6" in refusal.value.message
    assert tables(database_url) == set()


@pytest.mark.parametrize(
    ("name", "changed", "read", "executed"),
    [
        ("down_revision", "'r9'", "'r0'", "'r9'"),
        ("down_revision", "('r0', 'r9')", "'r0'", "'r0', 'r9'"),
        ("down_revision", "None", "'r0'", "None"),
        ("revision", "'r7'", "'r1'", "'r7'"),
        ("depends_on", "['r9']", "None", "'r9'"),
        ("branch_labels", "'left'", "None", "'left'"),
    ],
)
def test_a_file_that_declares_another_thing_when_it_is_executed_does_not_run(
    project: Project,
    run: Callable[..., None],
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    changed: str,
    read: str,
    executed: str,
) -> None:
    project.write("r0")
    monkeypatch.syspath_prepend(project.folder)
    (project.folder / "deceiving.py").write_text(DECEIVING)
    file = project.write("r1", "r0", "from deceiving import change", f"change({name!r}, {changed})")
    with pytest.raises(HistoryError) as refusal:
        run("upgrade", "head")
    message = refusal.value.message
    line = next(
        (n for n, text in enumerate(file.read_text().splitlines(), 1) if text.startswith(name)), 1
    )
    assert message.startswith(f"{file}:{line}: {name} reads {read}, and is {executed} when")
    assert tables(database_url) == set()


TRAPS: dict[str, tuple[str, str]] = {
    "writes a file": ("Path(__file__).with_suffix('.seen').touch()", ""),
    "reads a file beside it": (
        "assert (Path(__file__).parent / 'r0.py').exists()",
        "",
    ),
    "imports a helper that others import too": (
        "import sys\nsys.path.insert(0, str(Path(__file__).parents[2]))\nimport the_helper",
        "",
    ),
    "defines upgrade by a condition": (
        "",
        "if 1 + 1 == 2:\n"
        "    def upgrade():\n"
        "        op.create_table(revision, sa.Column('n', sa.Integer))\n"
        "else:\n"
        "    upgrade = None\n",
    ),
    "wraps upgrade": (
        "import functools",
        "inner = upgrade\n@functools.wraps(inner)\ndef upgrade():\n    inner()\n",
    ),
    "takes upgrade from elsewhere": (
        "",
        "upgrade = lambda: op.create_table(revision, sa.Column('n', sa.Integer))\n",
    ),
    "shares state with the ones before": (
        "import logging\nlogging.addLevelName(7, 'FINE')",
        "",
    ),
    "warns": ("import warnings\nwarnings.warn('careful', UserWarning, stacklevel=1)", ""),
    "annotates what it declares": ("revision: str\ndown_revision: str | None", ""),
    "has a class of its own": (
        "from dataclasses import dataclass\nclass Column:\n    name = 'n'",
        "",
    ),
    "is not in UTF-8": ("# -*- coding: latin-1 -*-\nNAME = 'x'", ""),
}


@pytest.mark.filterwarnings("ignore:careful")
@pytest.mark.parametrize("trap", TRAPS)
def test_up_down_and_up_are_those_of_alembics_own_loading(
    project: Project, run: Callable[..., None], database_url: URL, trap: str
) -> None:
    before, after = TRAPS[trap]
    (project.folder / "the_helper.py").write_text("VALUE = 1\n")
    for number in range(4):
        parent = f"r{number - 1}" if number else None
        project.write(f"r{number}", parent, *((before, after) if number in (1, 2) else ("", "")))
    loaded = ScriptDirectory.from_config(Config(str(project.ini)))
    by_alembic = [script.revision for script in loaded.walk_revisions()]
    project.executed()
    run("upgrade", "head")
    assert project.executed() == by_alembic[::-1]
    assert tables(database_url) == set(by_alembic)
    run("downgrade", "base")
    assert project.executed() == by_alembic
    assert tables(database_url) == set()
    run("upgrade", "+2")
    assert project.executed() == by_alembic[:1:-1]
    assert tables(database_url) == {"r0", "r1"}


def test_what_only_executing_tells_is_loaded_as_alembic_does(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(2)
    project.write("r2", after="down_revision = ''.join(['r', '1'])")
    run("upgrade", "head")
    # Alembic's order of loading, and all of it.
    assert project.executed() == ["r0", "r1", "r2"]
    run("upgrade", "head")
    assert project.executed() == ["r0", "r1", "r2"]
    assert tables(database_url) == {"r0", "r1", "r2"}


def test_bytecode_without_its_source_runs(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    project.write_chain(3)
    source = project.versions / "r1.py"
    py_compile.compile(str(source), str(source) + "c")
    source.unlink()
    project.ini.write_text(project.ini.read_text() + "sourceless = true\n")
    run("upgrade", "head")
    assert tables(database_url) == {"r0", "r1", "r2"}


def test_a_revision_knows_of_itself_what_alembic_knows(project: Project) -> None:
    project.write("r0", text="from datetime import date")
    project.write("r1", "r0", after="depends_on = None\nbranch_labels = ('left', 'right')")
    project.write("r2", "r0", after="depends_on = 'left'")
    project.write("r3", ("r1", "r2"))
    read, loaded = project.scripts(), ScriptDirectory.from_config(Config(str(project.ini)))
    pairs = list(zip(read.walk_revisions(), loaded.walk_revisions(), strict=True))
    for mine, theirs in pairs:
        assert isinstance(mine, ReadScript)
        names = {name for name in vars(theirs) if name != "module"}
        assert names <= vars(mine).keys()
        for name in names:
            assert getattr(mine, name) == getattr(theirs, name), name
        for name, member in inspect.getmembers(Script, lambda each: isinstance(each, property)):
            assert member.fget is not None
            assert getattr(mine, name) == getattr(theirs, name), name
        assert str(mine) == str(theirs)
        assert repr(mine).partition("(")[2] == repr(theirs).partition("(")[2]
        assert mine.cmd_format(verbose=True) == theirs.cmd_format(verbose=True)
        assert mine.module.__file__ == theirs.module.__file__
        assert mine.module.__name__ == theirs.module.__name__


def test_a_new_revision_joins_the_ones_that_were_read(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    (project.folder / "m" / "script.py.mako").write_text(
        "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n"
        "def upgrade(): pass\ndef downgrade(): pass\n"
    )
    project.ini.write_text(project.ini.read_text() + "revision_environment = true\n")
    project.write_chain(2)
    run("revision", "the next", rev_id="20260101_0000")
    assert project.executed() == []
    run("upgrade", "head")
    assert project.executed() == ["r0", "r1"]


def test_autogenerate_and_its_hooks_see_the_revisions(
    project: Project, run: Callable[..., None], database_url: URL
) -> None:
    (project.folder / "m" / "env.py").write_text(
        dedent("""
        from pathlib import Path
        from alembic import context
        from sqlalchemy import MetaData
        from work_data_hub.io.schema.environment import run

        def write(context, revision, directives):
            scripts = context.environment_context.script
            seen = [each.doc for each in scripts.walk_revisions()]
            (Path(__file__).parent / "seen").write_text(" ".join(seen))
            directives[:] = []

        run(context, target_metadata=MetaData(), process_revision_directives=write)
        """)
    )
    project.write_chain(2)
    migration_runner.stamp(database_url, confirm_drift=True, alembic_ini=project.ini)
    run("revision", "nothing", autogenerate=True)
    assert (project.folder / "m" / "seen").read_text() == "Make r1. Make r0."


def test_a_graph_that_somebody_has_used_or_made_is_left_alone(project: Project) -> None:
    project.write_chain(2)
    config = Config(str(project.ini))
    used = ScriptDirectory.from_config(config)
    assert used.get_heads() == ["r1"]
    made = ScriptDirectory.from_config(config)
    made.revision_map = RevisionMap(list)
    for scripts in (used, made):
        before = scripts.revision_map
        read_when_needed(scripts, config)
        assert scripts.revision_map is before


def test_the_cache_serves_both_looks(
    project: Project, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(revision_cache, "_TICK_NS", -(10**18))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project.write_chain(3)
    assert migration_runner.heads(alembic_ini=project.ini) == ("r2",)
    (cache,) = (tmp_path / "cache" / "work-data-hub").iterdir()
    before = cache.stat().st_mtime_ns
    run("upgrade", "head")
    assert cache.stat().st_mtime_ns == before
    project.write("r3", "r2")
    run("upgrade", "head")
    after = cache.stat().st_mtime_ns
    assert after > before
    assert migration_runner.heads(alembic_ini=project.ini) == ("r3",)
    assert cache.stat().st_mtime_ns == after
