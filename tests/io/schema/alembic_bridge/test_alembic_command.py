"""The plain `alembic` command, run as a person runs it."""

from __future__ import annotations

import ast
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import BELOW_HEAD, DESCRIPTIONS, FIRST, HEAD, copy_of_the_first_revision

from work_data_hub.domain.revisions.naming import parse_file_name
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

    Alembic = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[4]
NOWHERE = "postgresql://u:hunter2@127.0.0.1:1/x"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's migrations, in which revisions may be written."""
    return copy_of_the_first_revision(tmp_path / "project").parent


def versions(project: Path) -> list[Path]:
    return sorted((project / "io" / "schema" / "migrations" / "versions").glob("*.py"))


def failed(process: subprocess.CompletedProcess[str], code: int) -> str:
    """Return standard error of a command that must fail in two lines, for people."""
    assert process.returncode == code, process.stderr
    lines = process.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"], process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    assert "hunter2" not in process.stderr + process.stdout
    return process.stderr


def test_every_verb_works_and_says_what_it_did(alembic: Alembic, database_url: URL) -> None:
    up = alembic("upgrade", "head", url=database_url)
    assert (up.returncode, up.stdout) == (0, "")
    assert f"upgrade {FIRST} {DESCRIPTIONS[0]}" in up.stderr
    assert alembic("current", url=database_url).stdout == f"{HEAD} (head)\n"
    assert HEAD in alembic("current", "-v", url=database_url).stdout
    newest, *_ = alembic("history", "-i", url=database_url).stdout.splitlines()
    assert newest.endswith(f"-> {HEAD} (head) (current), {DESCRIPTIONS[-1]}")
    assert alembic("check", url=database_url).returncode == 0
    assert alembic("downgrade", "-1", url=database_url).returncode == 0
    assert alembic("current", url=database_url).stdout == "".join(
        f"{each}\n" for each in BELOW_HEAD
    )
    assert alembic("downgrade", "base", url=database_url).returncode == 0
    confirmed = ("-x", "confirm-drift=yes")
    assert alembic(*confirmed, "stamp", "head", url=database_url).returncode == 0
    assert alembic("stamp", "base", url=database_url).returncode == 0
    assert alembic("upgrade", "+1", url=database_url).returncode == 0
    assert alembic("downgrade", "base", url=database_url).returncode == 0
    with connect(database_url) as connection:
        assert row_counts(connection) == {}


def test_commands_on_files_need_no_database(alembic: Alembic, project: Path) -> None:
    for arguments in (["history"], ["history", "-v"], ["heads"], ["show", "head"], ["branches"]):
        process = alembic(*arguments, url=NOWHERE)
        assert (process.returncode, process.stderr) == (0, "")
    written = alembic("revision", "-m", "x", url=NOWHERE, cwd=project)
    assert (written.returncode, written.stderr) == (0, "")


def test_the_printed_script_makes_the_same_schema(
    alembic: Alembic, database_url: URL, tmp_path: Path
) -> None:
    printed = alembic("upgrade", "head", "--sql", url=database_url)
    assert printed.returncode == 0
    script = printed.stdout
    with connect(database_url) as connection:
        assert row_counts(connection) == {}
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.executescript(script) if isinstance(raw, sqlite3.Connection) else raw.execute(script)
        connection.rollback()
    assert migration_runner.current(database_url) == (HEAD,)
    assert alembic("check", url=database_url).returncode == 0
    down = alembic("downgrade", f"{HEAD}:base", "--sql", url=database_url)
    assert "DROP TABLE pipeline_executions" in down.stdout


def test_a_new_revision_is_named_by_its_time_and_works(
    alembic: Alembic, project: Path, database_url: URL
) -> None:
    process = alembic("revision", "-m", "Describe change!", cwd=project)
    assert process.returncode == 0
    path = versions(project)[-1]
    name = parse_file_name(path.name)
    assert name is not None
    assert name.description == "describe_change"
    assert re.fullmatch(r"\d{8}_\d{4}", name.id)
    text = path.read_text(encoding="utf-8")
    assert f'revision: str = "{name.id}"' in text
    assert (ast.get_docstring(ast.parse(text)) or "").startswith("Describe change!\n\nWhy:")
    assert alembic("upgrade", "head", url=database_url, cwd=project).returncode == 0
    assert alembic("current", url=database_url, cwd=project).stdout == f"{name.id} (head)\n"


def test_a_second_revision_of_the_same_minute_has_seconds(alembic: Alembic, project: Path) -> None:
    for message in ("one", "two", "three"):
        assert alembic("revision", "-m", message, cwd=project).returncode == 0
    names = [parse_file_name(path.name) for path in versions(project)]
    ids = [name.id for name in names if name is not None]
    assert len(ids) == len(set(ids)) == 4
    # Two of three calls fall into one minute, whatever the clock does meanwhile.
    assert any(re.fullmatch(r"\d{8}_\d{6}", revision) for revision in ids[1:])


def test_an_autogenerated_revision_has_typed_functions_and_only_imports_that_are_used(
    alembic: Alembic, project: Path, database_url: URL
) -> None:
    migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    with connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DROP TABLE data_quality_metrics")
        connection.exec_driver_sql("ALTER TABLE pipeline_executions DROP COLUMN error_details")
    arguments = ("revision", "--autogenerate", "-m", "restore")
    process = alembic(*arguments, url=database_url, cwd=project)
    assert process.returncode == 0, process.stderr
    path = versions(project)[-1]
    text = path.read_text(encoding="utf-8")
    assert "def upgrade() -> None:" in text
    assert "work_data_hub" not in text
    assert "UuidText" not in text
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(path)]
    assert subprocess.run(lint, capture_output=True, check=False).returncode == 0
    assert alembic("upgrade", "head", url=database_url, cwd=project).returncode == 0
    check = alembic("check", url=database_url, cwd=project)
    assert check.returncode == 0, check.stdout


@pytest.mark.parametrize(
    "message", ['say "hi" \\ """ bye', "größe ändern", "x" * 300, "two\nlines"]
)
def test_any_message_gives_a_file_that_can_be_read(
    alembic: Alembic, project: Path, message: str
) -> None:
    process = alembic("revision", "-m", message, cwd=project)
    assert process.returncode == 0, process.stderr
    docstring = ast.get_docstring(ast.parse(versions(project)[-1].read_text(encoding="utf-8")))
    assert docstring is not None
    assert docstring.split("\n\n")[0].rstrip(".") == " ".join(message.split())


TYPES = """
import sqlalchemy as sa
from alembic import context
from sqlalchemy.dialects import postgresql as pg
from work_data_hub.io.runs import metadata
from work_data_hub.io.schema.environment import run


class Guid(sa.TypeDecorator):
    impl = sa.String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect):
        native = pg.UUID() if dialect.name == "postgresql" else sa.String(36)
        return dialect.type_descriptor(native)


sa.Table(
    "extra",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("guid", Guid),
    sa.Column("span", sa.Interval),
    sa.Column("words", pg.ARRAY(sa.Text).with_variant(sa.JSON(), "sqlite")),
    sa.Column("flag", sa.Boolean, server_default=sa.false()),
    sa.Column("note", sa.String(50), server_default="it's 100%"),
    sa.Column("half", sa.Integer, sa.Computed("id / 2", persisted=True)),
    sa.Column("kind", sa.Enum("a", "b", name="kind")),
    sa.Column("data", pg.JSONB().with_variant(sa.JSON(), "sqlite")),
)
run(context, target_metadata=metadata)
"""


@pytest.mark.parametrize("made_on", ["sqlite", "postgresql"])
def test_a_revision_that_was_generated_on_one_engine_is_right_on_both(
    alembic: Alembic, project: Path, sqlite_url: URL, postgresql_url: URL, made_on: str
) -> None:
    urls = {"sqlite": sqlite_url, "postgresql": postgresql_url}
    for url in urls.values():
        migration_runner.upgrade(url, alembic_ini=project / "alembic.ini")
    (project / "io/schema/migrations/env.py").write_text(TYPES, encoding="utf-8")
    arguments = ("revision", "--autogenerate", "-m", "extra")
    made = alembic(*arguments, url=urls[made_on], cwd=project)
    assert made.returncode == 0, made.stderr
    for url in urls.values():
        up = alembic("upgrade", "head", url=url, cwd=project)
        assert up.returncode == 0, up.stderr
        check = alembic("check", url=url, cwd=project)
        assert check.returncode == 0, check.stdout + check.stderr


def test_a_message_without_a_letter_is_refused(alembic: Alembic, project: Path) -> None:
    before = versions(project)
    for arguments in (["-m", "!!!"], ["-m", ""], []):
        assert "needs a message" in failed(alembic("revision", *arguments, cwd=project), 2)
    assert "not a time" in failed(alembic("revision", "--rev-id", "abc", "-m", "x", cwd=project), 2)
    assert versions(project) == before


def test_two_heads_are_named_and_merged_by_the_rule(
    alembic: Alembic, project: Path, sqlite_url: URL
) -> None:
    for message in ("mine", "theirs"):
        made = alembic("revision", "--head", FIRST, "--splice", "-m", message, cwd=project)
        assert made.returncode == 0, made.stderr
    message = failed(alembic("upgrade", "head", url=sqlite_url, cwd=project), 3)
    assert "several heads" in message
    assert "merge" in message
    failed(alembic("revision", "-m", "third", cwd=project), 3)
    assert alembic("merge", "heads", "-m", "join both", cwd=project).returncode == 0
    assert all(parse_file_name(path.name) for path in versions(project))
    assert alembic("upgrade", "head", url=sqlite_url, cwd=project).returncode == 0


def test_a_subfolder_sees_the_same_database_of_alembic_ini(alembic: Alembic, project: Path) -> None:
    ini = project / "alembic.ini"
    url = "sqlalchemy.url = sqlite:///%(here)s/of_the_project.db"
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\n{url}", 1))
    assert alembic("upgrade", "head", cwd=project).returncode == 0
    assert (project / "of_the_project.db").exists()
    below = project / "io" / "schema"
    current = alembic("-c", "../../alembic.ini", "current", cwd=below)
    assert current.stdout == f"{FIRST} (head)\n"
    assert not list(below.glob("*.db"))


def test_looking_creates_nothing(alembic: Alembic, sqlite_url: URL, tmp_path: Path) -> None:
    assert alembic("current", url=sqlite_url).returncode == 0
    assert alembic("history", "-i", url=sqlite_url).returncode == 0
    failed(alembic("check", url=sqlite_url), 1)
    assert list(tmp_path.glob("*.db*")) == []


def test_looking_works_on_a_database_that_may_not_be_written(
    alembic: Alembic, sqlite_url: URL, tmp_path: Path
) -> None:
    migration_runner.upgrade(sqlite_url)
    uri = f"sqlite:///file:{sqlite_url.database}?mode=ro&uri=true"
    assert alembic("current", url=uri).stdout == f"{HEAD} (head)\n"


def test_an_argument_beats_both_variables(
    alembic: Alembic, sqlite_url: URL, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    environment = {"DATABASE_URL": NOWHERE, "WDH_DATABASE__URI": NOWHERE}
    url = f"database_url=sqlite:///{other}"
    assert alembic("-x", url, "upgrade", "head", env=environment).returncode == 0
    assert other.exists()


def test_a_mistyped_argument_is_refused(alembic: Alembic, tmp_path: Path) -> None:
    process = alembic("-x", f"databse_url=sqlite:///{tmp_path}/x.db", "upgrade", "head")
    assert "did you mean -x database_url" in failed(process, 2)


FAULTS = {
    "no server": (NOWHERE, ["current"], 7, "cannot open"),
    "no server, a change": (NOWHERE, ["upgrade", "head"], 7, "127.0.0.1"),
    "no url": ("nonsense-hunter2", ["current"], 2, "DATABASE_URL is not a database URL"),
    "unknown kind": ("oracle://u:hunter2@h/x", ["current"], 2, "'oracle'"),
    "unknown revision": ("sqlite://", ["upgrade", "nope"], 3, "no revision 'nope'"),
    "half a revision": ("sqlite://", ["upgrade", f"{FIRST}@"], 3, "LABEL@REVISION"),
    "near revision": (
        "sqlite://",
        ["upgrade", FIRST.replace("_0", "_", 1)],
        3,
        f"did you mean {FIRST}?",
    ),
    "too far down": ("sqlite://", ["downgrade", "-5"], 3, "not that many revisions"),
    "no folder": ("sqlite:////nonexistent/x.db", ["upgrade", "head"], 7, "create the folder"),
    "not at head": ("sqlite://", ["check"], 1, "alembic upgrade head"),
    "two slashes": ("sqlite://x.db", ["current"], 2, "three slashes"),
    "a bad option": ("sqlite:///x.db?timeout=abc", ["upgrade", "head"], 7, "cannot open"),
    "no such database": ("sqlite:////proc/x.db", ["upgrade", "head"], 7, "cannot open"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_two_lines_and_its_exit_code(alembic: Alembic, fault: str) -> None:
    url, arguments, code, words = FAULTS[fault]
    assert words in failed(alembic(*arguments, url=url), code)


def test_a_file_that_is_no_database_is_refused(alembic: Alembic, sqlite_url: URL) -> None:
    path = Path(str(sqlite_url.database))
    path.write_text("not a database, but long enough to look like one" * 50, encoding="utf-8")
    content = path.read_bytes()
    assert "not a database" in failed(alembic("upgrade", "head", url=sqlite_url), 7)
    assert path.read_bytes() == content


def test_prod_refuses_sqlite(alembic: Alembic, sqlite_url: URL) -> None:
    process = alembic("upgrade", "head", url=sqlite_url, env={"ENVIRONMENT": "prod"})
    assert "needs PostgreSQL" in failed(process, 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def upgrade() -> None\n", "cannot be read"),
        ("import no_such_module\n", "no_such_module"),
    ],
)
def test_a_revision_that_cannot_be_read_is_named_with_its_line(
    alembic: Alembic, project: Path, sqlite_url: URL, code: str, words: str
) -> None:
    broken = versions(project)[0].with_name("20260101_0000_broken.py")
    broken.write_text(f'"""Broken."""\n{code}', encoding="utf-8")
    message = failed(alembic("upgrade", "head", url=sqlite_url, cwd=project), 3)
    assert words in message
    assert f"{broken.name}:2" in message


def test_a_parent_that_is_missing_is_named(
    alembic: Alembic, project: Path, sqlite_url: URL
) -> None:
    orphan = versions(project)[0].with_name("20260101_0000_orphan.py")
    orphan.write_text('"""O."""\nrevision = "20260101_0000"\ndown_revision = "gone"\n')
    process = alembic(
        "upgrade", "head", url=sqlite_url, cwd=project, env={"PYTHONWARNINGS": "default"}
    )
    assert process.returncode == 3, process.stderr
    assert "a revision builds on 'gone', of which there is no file" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_password_in_a_revisions_own_error_is_hidden(
    alembic: Alembic, make_history: Any, revision_body: Any, postgresql_url: URL
) -> None:
    code = "raise RuntimeError(op.get_bind().engine.url.render_as_string(hide_password=False))"
    process = alembic(
        "upgrade", "head", url=postgresql_url, cwd=make_history([revision_body(code)])
    )
    assert process.returncode == 6
    assert "RuntimeError: postgresql+psycopg://postgres:***@" in process.stderr
    assert str(postgresql_url.password) not in process.stderr


def test_a_url_under_another_name_is_refused(alembic: Alembic, tmp_path: Path) -> None:
    process = alembic("-x", f"url=sqlite:///{tmp_path}/x.db", "upgrade", "head")
    assert "did you mean -x database_url" in failed(process, 2)


def test_a_failing_revision_leaves_nothing_and_those_before_stay(
    alembic: Alembic, project: Path, database_url: URL
) -> None:
    failing = versions(project)[0].with_name("20260101_0000_fail_midway.py")
    failing.write_text(
        '"""Fail midway."""\n'
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f'revision = "20260101_0000"\ndown_revision = "{FIRST}"\n'
        "def upgrade() -> None:\n"
        '    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))\n'
        '    op.execute("INSERT INTO half VALUES (1)")\n'
        '    op.execute("INSERT INTO missing VALUES (1)")\n'
        "def downgrade() -> None:\n"
        '    op.drop_table("half")\n',
        encoding="utf-8",
    )
    process = alembic("upgrade", "head", url=database_url, cwd=project)
    assert process.returncode == 6
    *progress, error, hint = process.stderr.splitlines()
    assert [line.split()[1] for line in progress] == ["this", "upgrade"]
    assert f"{failing.name}:9" in error
    assert "missing" in error
    assert f"done before it: {FIRST}" in hint
    assert migration_runner.current(database_url) == (FIRST,)
    with connect(database_url) as connection:
        assert "half" not in row_counts(connection)
