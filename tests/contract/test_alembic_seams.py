"""What Alembic, SQLAlchemy and psycopg do not publish, and the package relies on all the same.

A new version that does otherwise fails here, by name, and not in production.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import alembic
import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import CommandLine, Config
from alembic.operations.batch import ApplyBatchImpl
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from psycopg import pq
from sqlalchemy.dialects import sqlite

from work_data_hub.io.schema.alembic_bridge.call import (
    Kind,
    command_name,
    compares_tables,
    environment_of,
    is_migration,
    is_purge,
    kind_of,
    plan_of_alembic,
)
from work_data_hub.io.schema.alembic_bridge.revision_listing import described
from work_data_hub.io.schema.alembic_bridge.revision_map import read_when_needed
from work_data_hub.io.schema.engine import connect, foreign_keys_off
from work_data_hub.io.schema.first_look import libpq
from work_data_hub.io.schema.locks import advisory_lock
from work_data_hub.io.schema.run import transaction_state
from work_data_hub.io.schema.run.executor import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection

    Joint = Callable[[Any], None]

SOURCE = Path(__file__).parents[2] / "src" / "work_data_hub"
FIRST, SECOND = "20260101_0000", "20260101_0001"
ONE = "op.create_table('one', sa.Column('id', sa.Integer, primary_key=True))"
TWO = "op.create_table('two', sa.Column('id', sa.Integer))"


class Stop(Exception):  # noqa: N818  # no error
    """Ends a command of Alembic when enough was seen."""


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    """Two revisions, and an env.py that does what the test says."""
    return bare(make_history([revision_body(ONE), revision_body(TWO)]))


def bare(folder: Path) -> Path:
    env_py = folder / "io/schema/migrations/env.py"
    env_py.write_text("from alembic import context\ncontext.config.attributes['joint'](context)\n")
    return folder


def call(folder: Path, joint: Joint, verb: str, *arguments: str, **options: Any) -> Any:
    config = Config(str(folder / "alembic.ini"), attributes={"joint": joint})
    return getattr(command, verb)(config, *arguments, **options)


def migrate(folder: Path, connection: Connection, verb: str = "upgrade", **options: Any) -> None:
    """Run to the heads as `run.change` does, each revision in a transaction of its own."""

    def joint(context: Any) -> None:
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            transactional_ddl=True,
            **{name: value(context) if name == "fn" else value for name, value in options.items()},
        )
        context.run_migrations()

    call(folder, joint, verb, "head")


def tables(connection: Connection) -> set[str]:
    found = set(sa.inspect(connection).get_table_names())
    connection.rollback()
    return found


@pytest.fixture
def connection(sqlite_url: URL) -> Iterator[Connection]:
    with connect(sqlite_url) as opened:
        yield opened


def test_private_doors_stand_in_the_rooms_that_are_known_for_them() -> None:
    rooms = {
        "io/schema/alembic_bridge/call.py",
        "io/schema/alembic_bridge/ending.py",
        "io/schema/alembic_bridge/guarded_env.py",
        "io/schema/alembic_bridge/model_differences.py",
        "io/schema/alembic_bridge/revision_map.py",
        "io/schema/authoring/writer.py",
        "io/schema/run/as_applied.py",
        "io/schema/run/dry_run.py",
        "io/schema/run/executor.py",
        "io/schema/run/nothing_to_do.py",
        "io/schema/run/partial_revisions.py",
        "io/schema/run/revision_commits.py",
        "io/schema/run/script_statements.py",
        "io/schema/run/take_back.py",
        "io/schema/sqlite/batch.py",
        "io/schema/sqlite/rebuild.py",
    }
    private = r"noqa: SLF001|\.context_opts|mock\.patch|prep_table_for_batch = "
    door = re.compile(rf"{private}|ignore\[(?:method-assign|attr-defined)")
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if door.search(path.read_text(encoding="utf-8"))
    }
    assert found == rooms


@pytest.mark.parametrize(
    ("kind", "verb", "arguments", "options"),
    [
        (Kind.CHANGE, "upgrade", ["head"], {}),
        (Kind.CHANGE, "downgrade", ["base"], {}),
        (Kind.CHANGE, "stamp", ["head"], {}),
        (Kind.CHANGE, "stamp", ["head"], {"purge": True}),
        (Kind.CHANGE, "ensure_version", [], {}),
        (Kind.SQL, "upgrade", ["head"], {"sql": True}),
        (Kind.SQL, "downgrade", ["head:base"], {"sql": True}),
        (Kind.READ, "current", [], {}),
        (Kind.READ, "check", [], {}),
        (Kind.READ, "history", [], {"indicate_current": True}),
        (Kind.READ, "revision", ["x"], {"autogenerate": True}),
        (Kind.FILES, "revision", ["x"], {}),
        (Kind.FILES, "merge", ["heads"], {}),
    ],
)
def test_commands_are_told_apart_by_what_they_pass(
    project: Path, kind: Kind, verb: str, arguments: list[str], options: dict[str, Any]
) -> None:
    def joint(context: Any) -> None:
        environment = environment_of(context)
        assert isinstance(environment, EnvironmentContext)
        assert kind_of(environment) is kind
        assert is_migration(environment) == (verb in {"upgrade", "downgrade", "stamp"})
        assert is_purge(environment) == ("purge" in options)
        assert compares_tables(environment) == (verb == "check" or "autogenerate" in options)
        raise Stop

    with pytest.raises(Stop):
        call(project, joint, verb, *arguments, **options)


def test_the_alembic_command_names_its_verb() -> None:
    options = CommandLine().parser.parse_args(["upgrade", "head"])
    assert command_name(Config(cmd_opts=options)) == "upgrade"


def test_the_fn_that_env_py_configures_is_what_alembic_iterates(
    project: Path, connection: Connection
) -> None:
    seen: list[str] = []

    def steps(context: Any) -> Any:
        planned = plan_of_alembic(environment_of(context))

        def run(heads: Any, migration: MigrationContext) -> Iterator[Any]:
            assert isinstance(migration, MigrationContext)
            for step in planned(heads, migration):
                assert described(step.revision).revision == step.info.up_revision_id
                yield step
                # When the next one is asked for, this one is committed.
                assert not connection.in_transaction()
                seen.append(step.info.up_revision_id)

        return run

    migrate(project, connection, fn=steps)
    assert seen == [FIRST, SECOND]
    assert tables(connection) == {"alembic_version", "one", "two"}


@pytest.mark.parametrize(
    ("verb", "target", "expected"),
    [
        ("upgrade", "head", [f"upgrade {FIRST} Step 0.", f"upgrade {SECOND} Step 1."]),
        ("stamp", SECOND, [f"stamp {SECOND}"]),
    ],
)
def test_a_step_says_what_it_does(
    project: Path, sqlite_url: URL, verb: str, target: str, expected: list[str]
) -> None:
    def joint(context: Any) -> None:
        planned = plan_of_alembic(environment_of(context))
        with connect(sqlite_url) as connection:
            context.configure(connection=connection)
            steps = planned((), context.get_context())
            assert list(map(str, plan_of((), steps).steps)) == expected

    call(project, joint, verb, target)


def test_on_version_apply_runs_in_the_transaction_behind_the_version_row(
    project: Path, connection: Connection
) -> None:
    def applied(*, ctx: MigrationContext, **_: Any) -> None:
        assert ctx.connection is not None
        rows = ctx.connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        if list(rows.scalars()) == [SECOND]:
            raise Stop

    with pytest.raises(Stop):
        migrate(project, connection, on_version_apply=applied)
    connection.rollback()
    assert tables(connection) == {"alembic_version", "one"}


def test_a_stamp_that_purges_tells_the_migration_context(
    project: Path, connection: Connection
) -> None:
    def joint(context: Any) -> None:
        context.configure(connection=connection)
        assert context.get_context().purge
        raise Stop

    with pytest.raises(Stop):
        call(project, joint, "stamp", "head", purge=True)


def test_the_autocommit_block_of_an_instance_is_what_a_revision_enters(
    make_history: Callable[..., Path], revision_body: Any, connection: Connection
) -> None:
    leaves = "with op.get_context().autocommit_block():\n    pass"
    folder, entered = bare(make_history([revision_body(leaves)])), mock.MagicMock()

    def steps(context: Any) -> Any:
        context.get_context().autocommit_block = entered
        return plan_of_alembic(environment_of(context))

    def joint(context: Any) -> None:
        context.configure(connection=connection)
        steps(context)
        context.run_migrations()

    call(folder, joint, "upgrade", "head")
    entered.return_value.__enter__.assert_called_once_with()


@pytest.mark.parametrize(("verb", "argument"), [("revision", None), ("merge", "heads")])
def test_new_files_are_written_by_the_directory_that_env_py_sees(
    project: Path, verb: str, argument: str | None
) -> None:
    made: list[str] = []

    def joint(context: Any) -> None:
        scripts = environment_of(context).script
        generate = scripts.generate_revision

        def generate_by_a_rule(revid: str, message: str | None, **options: Any) -> Any:
            made.append(revid)
            scripts.file_template = "by_a_rule"
            return generate("1234", message, **options)

        scripts.generate_revision = generate_by_a_rule  # type: ignore[method-assign,assignment]
        context.configure(dialect_name="sqlite", as_sql=True)
        context.run_migrations()

    call(project, joint, verb, *filter(None, [argument]), message="x")
    assert re.fullmatch("[0-9a-f]{12}", made[0])  # chosen before env.py was run
    versions = project / "io/schema/migrations/versions"
    assert 'revision: str = "1234"' in (versions / "by_a_rule.py").read_text()


def test_each_batch_rebuild_is_announced_to_the_impl(
    make_history: Callable[..., Path], revision_body: Any, connection: Connection
) -> None:
    rebuild = (
        "with op.batch_alter_table('one') as batch:\n"
        "    batch.add_column(sa.Column('a', sa.Integer))\n"
        "    batch.alter_column('id', new_column_name='key')"
    )
    folder = bare(make_history([revision_body(ONE), revision_body(rebuild)]))
    seen: list[ApplyBatchImpl] = []
    statements: list[str] = []

    def joint(context: Any) -> None:
        context.configure(connection=connection, transaction_per_migration=True)
        impl = context.get_context().impl
        original = impl.prep_table_for_batch

        def prepare(batch: ApplyBatchImpl, table: sa.Table) -> None:
            original(batch, table)
            seen.append(batch)

        impl.prep_table_for_batch = prepare
        context.run_migrations()

    sa.event.listen(
        connection, "before_cursor_execute", lambda *given: statements.append(given[2].strip())
    )
    with foreign_keys_off(connection):
        call(folder, joint, "upgrade", "head")
    (batch,) = seen
    assert (batch.table.name, batch.temp_table_name) == ("one", "_alembic_tmp_one")
    assert {old: column.name for old, column in batch.columns.items()} == {"id": "key", "a": "a"}
    assert {name: "expr" in how for name, how in batch.column_transfers.items()} == {
        "id": True,
        "a": False,
    }
    assert list(batch.existing_ordering) == ["id"]
    for nothing in ("indexes", "named_constraints", "table_args", "table_kwargs"):
        assert len(getattr(batch, nothing)) == 0
    assert batch.new_table is not None
    unchanged = ApplyBatchImpl(batch.impl, batch.table, (), {}, batch.reflected)
    unchanged._transfer_elements_to_new_table()
    assert unchanged.new_table is not None
    assert list(unchanged.new_table.c.keys()) == ["id"]
    words = [" ".join(text.split()[:2]) for text in statements if "_alembic_tmp_one" in text]
    assert words == ["CREATE TABLE", "INSERT INTO", "ALTER TABLE"]
    renaming = next(number for number, text in enumerate(statements) if "RENAME TO" in text)
    assert statements[renaming - 1].split() == ["DROP", "TABLE", "one"]


def test_a_call_of_configure_goes_through_the_class(project: Path, connection: Connection) -> None:
    seen: list[object] = []

    def configure(_context: EnvironmentContext, *_: Any, **options: Any) -> None:
        seen.append(options["connection"])
        raise Stop

    with (
        mock.patch.object(EnvironmentContext, "configure", configure),
        pytest.raises(Stop),
    ):
        migrate(project, connection)
    assert seen == [connection]


def test_what_autogenerate_found_is_in_the_context(project: Path, connection: Connection) -> None:
    migrate(project, connection)
    found: list[Any] = []

    def joint(context: Any) -> None:
        context.configure(connection=connection, target_metadata=sa.MetaData())
        context.run_migrations()
        generated = environment_of(context).context_opts["revision_context"].generated_revisions[-1]
        found.extend(diff for ops in generated.upgrade_ops_list for diff in ops.as_diffs())
        raise Stop

    with pytest.raises(Stop):
        call(project, joint, "check")
    assert sorted((kind, table.name) for kind, table in found) == [
        ("remove_table", "one"),
        ("remove_table", "two"),
    ]


def test_alembics_own_ways_through_a_history(project: Path) -> None:
    scripts = ScriptDirectory.from_config(Config(str(project / "alembic.ini")))
    way = list(scripts.iterate_revisions((SECOND,), "base", implicit_base=True))
    assert [script.revision for script in way] == [SECOND, FIRST]
    assert [described(script).down_revisions for script in way] == [(FIRST,), ()]


def test_a_type_knows_its_variants() -> None:
    with_variant = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    assert [*with_variant._variant_mapping] == ["sqlite"]


def test_a_compiled_insert_tells_the_order_of_its_parameters() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("b", sa.Integer))
    insert = table.insert()
    by_position = insert.compile(dialect=sqlite.dialect(), column_keys=["a", "b"])
    assert by_position.positiontup == ["a", "b"]
    dialect = sa.make_url("postgresql+psycopg://").get_dialect()()
    by_name = insert.compile(dialect=dialect, column_keys=["a", "b"])
    assert by_name.positiontup is None


def test_a_connection_that_failed_tells_where_it_went(postgresql_url: URL) -> None:
    nowhere = postgresql_url.set(drivername="postgresql", database="nowhere")
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(nowhere.render_as_string(hide_password=False))
    assert caught.value.pgconn is not None
    told = {each.keyword: each.val for each in caught.value.pgconn.info}
    assert told[b"port"] == str(postgresql_url.port).encode()


def test_the_numbers_that_are_used_without_importing_psycopg() -> None:
    assert advisory_lock._READ_COMMITTED == psycopg.IsolationLevel.READ_COMMITTED
    assert transaction_state._IDLE == pq.TransactionStatus.IDLE
    assert libpq._loaded().PQlibVersion() == pq.version()


def test_all_of_a_script_is_written_by_static_output_and_a_step_calls_its_migration_fn(
    project: Path,
) -> None:
    written: list[str] = []
    called: list[str] = []

    def joint(context: Any) -> None:
        environment = environment_of(context)
        plan_steps = plan_of_alembic(environment)

        def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterator[Any]:
            migration.impl.static_output = written.append  # type: ignore[method-assign,assignment]
            for step in plan_steps(heads, migration):
                step.migration_fn = lambda **_: called.append("x")
                yield step

        context.configure(
            url="sqlite://", fn=steps, transaction_per_migration=True, transactional_ddl=True
        )
        with context.begin_transaction():
            context.run_migrations()

    call(project, joint, "upgrade", "head", sql=True)
    assert called == ["x", "x"]
    # The version table comes before the first step says its name.
    assert [text.split("(")[0].strip() for text in written[:2]] == [
        "BEGIN;",
        "CREATE TABLE alembic_version",
    ]
    assert written[2].startswith("-- Running ")
    assert written[-1] == "COMMIT;"


def test_the_folders_of_revision_files_are_listed_with_packages_resolved(
    project: Path, tmp_path: Path
) -> None:
    config = Config(str(project / "alembic.ini"))
    config.set_main_option("version_locations", f"alembic:more {tmp_path}")
    config.set_main_option("path_separator", "space")
    packaged, plain = ScriptDirectory.from_config(config)._version_locations
    assert Path(packaged) == Path(alembic.__file__).parent / "more"
    assert Path(plain) == tmp_path


def test_the_graph_of_the_files_is_made_when_it_is_asked_for(project: Path) -> None:
    config = Config(str(project / "alembic.ini"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.revision_map._generator == scripts._load_revisions
    assert isinstance(scripts._version_locations, list)
    assert "_revision_map" not in vars(scripts.revision_map)
    assert scripts.get_heads() == [SECOND]
    assert "_revision_map" in vars(scripts.revision_map)


def test_a_step_asks_for_the_module_of_its_revision_when_it_is_planned(project: Path) -> None:
    versions = project / "io/schema/migrations/versions"
    for file in versions.glob("*.py"):
        file.write_text(file.read_text() + "\nraise RuntimeError('executed')\n")
    config = Config(str(project / "alembic.ini"))
    scripts = ScriptDirectory.from_config(config)
    read_when_needed(scripts, config)
    script = scripts.get_revision(SECOND)
    with pytest.raises(RuntimeError, match="executed"):
        RevisionStep(scripts.revision_map, script, True)
