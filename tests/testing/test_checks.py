"""Each built-in check passes for a sound project, and fails for a broken one with its message."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.testing.checked_project import (
    ADD,
    CREATE,
    FIRST,
    HANDS_OVER,
    INI,
    NAME_AGAIN,
    OF_ITS_OWN,
    ON_POSTGRESQL,
    ON_SQLITE,
    REMOVE,
    SECOND,
    SWITCHED_ON,
    TABLE,
    TABLES,
    UNDO_TABLE,
    WITHOUT_TABLES,
    statements,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testing.checked_project import Check, Project


def commit(folder: Path) -> None:
    """Commit all that is there, as whoever."""
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for command in (["add", "."], [*person, "commit", "--quiet", "--message", "some"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


@pytest.mark.parametrize("env", [HANDS_OVER, OF_ITS_OWN], ids=["handing over", "of its own"])
def test_a_sound_project_passes_every_check_on_both_engines(
    project: Project, check: Check, env: str
) -> None:
    project.write("migrations/env.py", env)
    check().assert_outcomes(passed=11)


def test_two_heads_are_named(project: Project, check: Check) -> None:
    project.revision("20260101_0002", FIRST)
    found = check("single_head")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            f"error: there are 2 heads: {SECOND}, 20260101_0002",
            "hint: *`wdh db rebase REVISION` puts that one on top*`wdh db merge` joins them",
        ]
    )
    found.stdout.no_fnmatch_line("*Traceback*")


def test_a_file_that_does_not_follow_the_rule_is_named(project: Project, check: Check) -> None:
    project.revision("ab12", SECOND, name="ab12_random.py")
    project.revision("20260101_0003", "ab12", name="20260101_0004_other_time.py")
    found = check("names_follow")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "  ab12_random.py:1: the file is not named YYYYMMDD_HHMM_short_description.py",
            "  20260101_0004_other_time.py:1: the name says 20260101_0004, the file declares"
            " '20260101_0003'",
        ]
    )


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import tables", "tables"),
        ("from shop.models import metadata", "shop.models"),
        ("import importlib\nimportlib.import_module('shop.models')", "shop.models"),
        ("from helpers import types", "helpers"),
    ],
)
def test_an_import_of_application_code_is_named(
    project: Project, check: Check, statement: str, name: str
) -> None:
    project.write("src/shop/__init__.py", "")
    project.write("src/shop/models.py", "metadata = None")
    project.write("helpers/types.py", "")
    project.revision("20260101_0002", SECOND, statement)
    found = check("application_code")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines([f"  20260101_0002_step.py:* imports {name}"])


def test_the_standard_library_and_installed_packages_are_no_application_code(
    project: Project, check: Check
) -> None:
    for folder in ("alembic", "io", "sqlalchemy"):  # what a project may have beside alembic.ini
        project.write(f"{folder}/notes/some.py", "")
    project.revision("20260101_0002", SECOND, "import io\nfrom sqlalchemy.dialects import sqlite")
    check("application_code").assert_outcomes(passed=1)


def test_a_downgrade_that_leaves_something_is_named(project: Project, check: Check) -> None:
    project.revision(
        "20260101_0002",
        SECOND,
        f"op.create_index('ix_size', 'items', ['size'])\n{CREATE.replace('items', 'extra')}"
        .replace("'marks'", "'more_marks'"),
        "op.drop_table('extra')\nop.drop_table('more_marks')",
    )  # fmt: skip
    found = check("up_down")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        [
            "error: 20260101_0002: after upgrade and downgrade the schema is another",
            "  index *ix_size is extra",
        ]
    )


def test_a_downgrade_that_fails_is_named(project: Project, check: Check) -> None:
    project.revision(SECOND, FIRST, ADD, "op.drop_column('items', 'width')")
    found = check("up_down")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines([f"error: {SECOND}: the downgrade failed: *"])


def test_a_second_upgrade_that_differs_is_named(project: Project, check: Check) -> None:
    looks = "op.get_bind().execute(sa.text('SELECT count(*) FROM marks')).scalar()"
    project.revision(
        "20260101_0002",
        SECOND,
        f"if {looks}:\n    op.add_column('items', sa.Column('again', sa.Integer))",
        "op.execute('INSERT INTO marks VALUES (1)')",
    )
    found = check("up_down")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        [
            "error: 20260101_0002: the second upgrade gives another schema",
            "  column *items.again is extra",
        ]
    )


@pytest.mark.parametrize("env", [HANDS_OVER, OF_ITS_OWN], ids=["handing over", "of its own"])
def test_branches_bases_merges_and_dependencies_are_walked(
    project: Project, check: Check, env: str
) -> None:
    project.write("migrations/env.py", env)
    history: dict[int, tuple[str | tuple[str, ...] | None, str | None]] = {
        2: (FIRST, None),
        3: ((SECOND, "20260101_0002"), None),  # a merge
        4: (None, None),  # another base
        5: ("20260101_0004", "20260101_0003"),
        6: (FIRST, "20260101_0004"),  # a third head
    }
    for number, (below, depends_on) in history.items():
        create = f"op.create_table('t{number}', sa.Column('id', sa.Integer, primary_key=True))"
        drop = f"op.drop_table('t{number}')"
        project.revision(f"20260101_000{number}", below, create, drop, depends_on=depends_on)
    check("up_down or keeps_the_rows").assert_outcomes(passed=4)


def test_a_model_that_no_migration_makes_is_named(project: Project, check: Check) -> None:
    project.write("tables.py", TABLES + "sa.Table('new', metadata, sa.Column('id', sa.Integer))\n")
    found = check("models_equal")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        ["error: the migrated database differs from the models", "  add table: new"]
    )


@pytest.mark.parametrize(
    "env",
    [WITHOUT_TABLES, OF_ITS_OWN.replace("target_metadata=metadata,", "")],
    ids=["handing over", "of its own"],
)
def test_models_that_env_py_does_not_give_are_asked_for(
    project: Project, check: Check, env: str
) -> None:
    project.write("migrations/env.py", env)
    found = check("models_equal")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(["error: *env.py gives no tables to compare with"])


def test_rows_that_an_upgrade_loses_are_named(project: Project, check: Check) -> None:
    project.revision("20260101_0002", SECOND, "op.execute('DELETE FROM items WHERE id = 2')")
    project.revision("20260101_0003", "20260101_0002", "op.execute('DELETE FROM marks')")
    project.write("seeds.sql", "INSERT INTO items (id) VALUES (1); INSERT INTO marks VALUES (1);")
    by_count = check("keeps_the_rows")
    by_count.assert_outcomes(failed=2)
    by_count.stdout.fnmatch_lines(
        [
            "error: 20260101_0003: the upgrade loses rows that were there before it",
            "  marks: 1 of 1 rows",
        ]
    )
    project.write("seeds.sql", "INSERT INTO items (id) VALUES (1), (2);")
    by_key = check("keeps_the_rows")
    by_key.assert_outcomes(failed=2)
    by_key.stdout.fnmatch_lines(["error: 20260101_0002: the upgrade loses *", "  items: id 2"])


def test_an_upgrade_that_rows_make_fail_is_named(project: Project, check: Check) -> None:
    required = "op.add_column('items', sa.Column('size', sa.Integer, nullable=False))"
    project.revision(SECOND, FIRST, required, REMOVE)
    project.write("seeds.sql", "INSERT INTO items (id, size) VALUES (1, 1);")
    found = check("keeps_the_rows")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        [f"error: {SECOND}: with rows in the tables the upgrade failed: *NOT NULL*"]
    )


def test_without_rows_the_check_of_rows_is_skipped_and_says_how_to_give_some(
    project: Project, check: Check
) -> None:
    found = check("keeps_the_rows", "-rs", seeds=False)
    found.assert_outcomes(skipped=2)
    found.stdout.fnmatch_lines(["*--wdh-seeds FILE, or wdh_seeds in pytest's ini file*"])


def test_the_rule_is_held_only_where_it_is_switched_on(project: Project, check: Check) -> None:
    project.write("alembic.ini", INI.replace("revision_environment = true\n", ""))
    project.revision("ab12", SECOND, name="ab12_random.py")
    check("names_follow").assert_outcomes(skipped=1)


def test_the_place_of_a_column_does_not_count(project: Project, check: Check) -> None:
    """No downgrade on PostgreSQL can give it back."""
    project.revision("20260101_0002", SECOND, "op.drop_column('items', 'name')", NAME_AGAIN)
    check("up_down").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("engine", "made", "taken_back", "said"),
    [
        (
            ON_SQLITE,
            "CREATE TRIGGER seen AFTER INSERT ON items BEGIN INSERT INTO marks VALUES (1); END",
            "",
            "trigger seen is extra",
        ),
        (
            ON_SQLITE,
            "CREATE INDEX sized ON items (size) WHERE size > 1",
            "DROP INDEX sized\nCREATE INDEX sized ON items (size)",
            "index sized is extra",
        ),
        (
            ON_POSTGRESQL,
            "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
            "\nCREATE TRIGGER seen BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION seen()",
            "",
            "trigger public.items.seen is extra",
        ),
        (
            ON_POSTGRESQL,
            "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "",
            "function public.one() is extra",
        ),
        (
            ON_POSTGRESQL,
            "CREATE TYPE mood AS ENUM ('sad')",
            "",
            "enum public.mood is extra",
        ),
        (ON_POSTGRESQL, "CREATE SEQUENCE numbers", "", "sequence public.numbers is extra"),
        (
            ON_POSTGRESQL,
            "CREATE SCHEMA other\nCREATE TABLE other.things (id int)",
            "DROP TABLE other.things",
            "schema other is extra",
        ),
        (
            ON_POSTGRESQL,
            "GRANT SELECT ON items TO PUBLIC",
            "",
            "table public.items: grants should be nothing and is *",
        ),
        (
            ON_POSTGRESQL,
            "ALTER TABLE items ADD CONSTRAINT sized CHECK (size > 0) NOT VALID",
            "ALTER TABLE items DROP CONSTRAINT sized"
            "\nALTER TABLE items ADD CONSTRAINT sized CHECK (size > 0)",
            "check public.items.sized is extra",
        ),
    ],
    ids=[
        *("trigger on SQLite", "partial index", "trigger", "function", "enum", "sequence"),
        *("schema", "grant", "constraint"),
    ],
)
def test_a_downgrade_that_forgets_something_is_named(
    project: Project, check: Check, engine: str, made: str, taken_back: str, said: str
) -> None:
    project.revision("20260101_0002", SECOND, statements(made), statements(taken_back))
    found = check("up_down", engine)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "error: 20260101_0002: after upgrade and downgrade the schema is another",
            f"  {said}",
        ]
    )


@pytest.mark.parametrize(
    ("engine", "before", "made", "taken_back"),
    [
        (
            ON_SQLITE,
            "CREATE INDEX sized ON items (size) WHERE size > 1",
            "DROP INDEX sized",
            'CREATE INDEX "Sized" on "items" ("size") where ( size>1 )',
        ),
        (
            ON_SQLITE,
            "CREATE TRIGGER seen AFTER INSERT ON items BEGIN INSERT INTO marks VALUES (1); END",
            "DROP TRIGGER seen\nALTER TABLE items DROP COLUMN name",
            "ALTER TABLE items ADD COLUMN name VARCHAR(50)\nCREATE TRIGGER seen"
            "  AFTER INSERT ON items FOR EACH ROW BEGIN INSERT INTO marks VALUES (1); END",
        ),
        (
            ON_POSTGRESQL,
            "CREATE INDEX sized ON items (lower(name)) WHERE size > 1"
            "\nGRANT SELECT ON items TO PUBLIC",
            "ALTER TABLE items DROP COLUMN name",
            "ALTER TABLE items ADD name varchar(50)"
            "\nCREATE INDEX sized ON items (lower(name)) WHERE (size > 1)",
        ),
        (
            ON_POSTGRESQL,
            "CREATE TABLE more (id serial PRIMARY KEY, item int REFERENCES items UNIQUE"
            ", size int CHECK (size > 0))\nCREATE INDEX ON more (size)",
            "DROP TABLE more",
            "CREATE TABLE more (size int, item int, id serial PRIMARY KEY)"
            "\nCREATE INDEX more_size_idx1 ON more (size)\nALTER TABLE more ADD CHECK (size > 0)"
            "\nALTER TABLE more ADD UNIQUE (item), ADD FOREIGN KEY (item) REFERENCES items",
        ),
    ],
    ids=["index on SQLite", "trigger on SQLite", "column", "table"],
)
def test_what_a_downgrade_gives_back_in_other_words_is_no_difference(
    project: Project, check: Check, engine: str, before: str, made: str, taken_back: str
) -> None:
    project.revision("20260101_0002", SECOND, statements(before))
    project.revision("20260101_0003", "20260101_0002", statements(made), statements(taken_back))
    excuse = "--wdh-excused=20260101_0002: is only here to make something"
    check("up_down", engine, excuse).assert_outcomes(passed=1)


def test_a_table_that_is_rebuilt_and_rebuilt_again_is_no_difference(
    project: Project, check: Check
) -> None:
    rebuild = "with op.batch_alter_table('items') as batch:\n    "
    project.revision(
        "20260101_0002",
        SECOND,
        f"op.create_index('ix_size', 'items', ['size'])\n{rebuild}"
        "batch.alter_column('name', new_column_name='title')",
        f"{rebuild}batch.alter_column('title', new_column_name='name')\n"
        "op.drop_index('ix_size', 'items')",
    )
    check("up_down").assert_outcomes(passed=2)


def test_the_label_of_an_enum_that_stays_is_named(project: Project, check: Check) -> None:
    project.revision(
        "20260101_0002", SECOND, statements("CREATE TYPE mood AS ENUM ('sad')"),
        statements("DROP TYPE mood"),
    )  # fmt: skip
    project.revision(
        "20260101_0003", "20260101_0002", statements("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ok'")
    )
    found = check("up_down", ON_POSTGRESQL)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        ["  enum public.mood: labels should be (sad) and is (sad, ok)", "hint: *wdh_excused*"]
    )
    excuse = "--wdh-excused=20260101_0003: the label of an enum stays"
    check("up_down", ON_POSTGRESQL, excuse).assert_outcomes(passed=1)


def test_what_env_py_makes_by_itself_is_no_difference(project: Project, check: Check) -> None:
    """It is there as soon as env.py has run, whichever revision is the first."""
    own = (
        "    connection.exec_driver_sql('CREATE TABLE IF NOT EXISTS audit (a INT)')\n"
        "    connection.commit()\n    context.configure("
    )
    project.write("migrations/env.py", OF_ITS_OWN.replace("    context.configure(", own))
    check("up_down").assert_outcomes(passed=2)


@pytest.mark.parametrize("env", [HANDS_OVER, OF_ITS_OWN], ids=["handing over", "of its own"])
def test_every_revision_at_fault_is_named(project: Project, check: Check, env: str) -> None:
    project.write("migrations/env.py", env)
    project.revision("20260101_0002", SECOND, "op.create_index('ix_size', 'items', ['size'])")
    project.revision("20260101_0003", "20260101_0002", "pass", "raise NotImplementedError")
    project.revision("20260101_0004", "20260101_0003", f"op.execute('{TABLE}')", UNDO_TABLE)
    project.revision("20260101_0005", "20260101_0004", "op.execute('CREATE TABLE a (a INT)')")
    found = check("up_down")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        [
            "error: 3 revisions do not go up, down and up again",
            "  20260101_0002: after upgrade and downgrade the schema is another",
            "    index *ix_size is extra",
            "  20260101_0003: the downgrade failed: *",
            "  20260101_0005: after upgrade and downgrade the schema is another",
            "    table *a is extra (with 1 column)",
            "hint: *wdh_excused*",
        ]
    )
    found.stdout.no_fnmatch_line("  20260101_0004: *")


def test_every_upgrade_that_loses_rows_is_named(project: Project, check: Check) -> None:
    project.revision("20260101_0002", SECOND, "op.execute('DELETE FROM items WHERE id = 2')")
    project.revision("20260101_0003", "20260101_0002", "op.execute('DELETE FROM marks')")
    found = check("keeps_the_rows")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        [
            "error: 2 upgrades lose rows that were there before them",
            "  20260101_0003: *",
            "    marks: 1 of 1 rows",
            "  20260101_0002: *",
            "    items: id 2",
        ]
    )


def test_an_excuse_has_a_reason_and_is_shown(project: Project, check: Check) -> None:
    project.revision("20260101_0002", SECOND, "pass", "raise NotImplementedError")
    project.revision("20260101_0003", "20260101_0002", f"op.execute('{TABLE}')", UNDO_TABLE)
    excuse = "--wdh-excused=20260101_0002: labels of an enum stay"
    excused = check("up_down or keeps_the_rows", excuse, ON_SQLITE)
    excused.assert_outcomes(passed=2)
    excused.stdout.fnmatch_lines(["not taken back: 20260101_0002: labels of an enum stay"])
    project.revision("20260101_0003", "20260101_0002", f"op.execute('{TABLE}')")
    behind_it = check("up_down or keeps_the_rows", excuse, ON_SQLITE)
    behind_it.assert_outcomes(failed=2)
    behind_it.stdout.fnmatch_lines(["error: 20260101_0003: *"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--wdh-excused=20260101_0001", "ERROR: wdh_excused has '20260101_0001', which gives no*"),
        ("--wdh-excused=20990101_0001: never", "error: wdh_excused names 20990101_0001, which is*"),
        ("--wdh-checked=0", "ERROR: wdh_checked is '0', which is no number of revisions*"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    project: Project, check: Check, option: str, said: str
) -> None:
    found = check("up_down", option)
    assert found.ret
    found.stdout.no_fnmatch_line("*Traceback*")
    (found.stderr if found.errlines else found.stdout).fnmatch_lines([said])


def test_of_a_long_history_what_is_new_and_a_sample_are_checked(
    project: Project, check: Check
) -> None:
    """The sample holds the oldest and the newest; each at fault here has no downgrade."""
    below = SECOND
    for number in range(2, 10):
        id_ = f"20260101_000{number}"
        project.revision(id_, below, f"op.execute('CREATE TABLE t{number} (a INT)')")
        below = id_
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "."], check=True)
    commit(project.folder)
    project.revision("20260101_0010", below, "op.execute('CREATE TABLE t10 (a INT)')")
    project.revision("20260101_0011", "20260101_0010", "op.execute('CREATE TABLE t11 (a INT)')")
    found = check("up_down", "--wdh-checked=3", ON_SQLITE)
    found.assert_outcomes(failed=1)
    named = {line.split(":")[0].strip() for line in found.outlines if line.startswith("  2026")}
    assert named == {"20260101_0009", "20260101_0010", "20260101_0011"} | (
        named & {f"20260101_000{number}" for number in range(2, 9)}
    )
    assert len(named) == 4
    found = check("up_down", "--wdh-checked=all", ON_SQLITE)
    found.stdout.fnmatch_lines(["error: 10 revisions do not go up, down and up again"])


def test_a_module_may_give_its_checks_a_project_of_their_own(
    project: Project, check: Check
) -> None:
    project.write(
        "test_migrations.py",
        SWITCHED_ON
        + "import pytest\nfrom pathlib import Path\n"
        + "from work_data_hub.testing.project import Project\n\n"
        + "@pytest.fixture(scope='session')\ndef wdh_project():\n"
        + "    return Project(Path('alembic.ini').absolute(), (Path('seeds.sql').absolute(),))\n",
    )
    check("keeps_the_rows", seeds=False).assert_outcomes(passed=2)
