"""What a database is is asked of all that it records; what cannot be known counts as prod.

Each refusal's way out is run as it is written, in the state in which it was given.
"""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.domain.record.target import Identity

# An address that leads here, and that nobody can tell from one that leads elsewhere.
ELSEWHERE = "0.0.0.0"
IDENTITY = "work_data_hub_identity"
_numbers = itertools.count()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Be a session of that class from now on."""

    def be(environment: str) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        get_settings.cache_clear()

    return be


@pytest.fixture
def go_the_way_out(
    alembic: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., None]:
    """Run the command that a refusal names, in the same environment."""

    def go(said: pytest.ExceptionInfo[RefusedError], url: URL, environment: str) -> None:
        found = re.search(r"alembic (-x record_environment=.* ensure_version)$", said.value.hint)
        assert found is not None, said.value.hint
        arguments = shlex.split(found[1])
        process = alembic(*arguments, url=url, env={"ENVIRONMENT": environment})
        assert process.returncode == 0, process.stderr

    return go


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def identity(url: URL) -> Identity:
    found = migration_runner.identity(url)
    assert found is not None
    return found


def verbs(url: URL) -> tuple[Callable[[], object], ...]:
    return (
        lambda: migration_runner.upgrade(url),
        lambda: migration_runner.downgrade(url, "base"),
        lambda: migration_runner.stamp(url, "base"),
        lambda: migration_runner.reset(url),
    )


@pytest.mark.parametrize("recorded", ["staging", "prod"])
def test_a_copy_keeps_its_class_until_somebody_says_otherwise(
    postgresql_url: URL,
    session: Callable[[str], None],
    go_the_way_out: Callable[..., None],
    recorded: str,
) -> None:
    """A server that was upgraded, failed over or restored, behind a tunnel: 127.0.0.1."""
    session(recorded)
    migration_runner.upgrade(postgresql_url)
    before = identity(postgresql_url)
    execute(postgresql_url, f"UPDATE {IDENTITY} SET pin = 'postgresql:1:1'")
    session("dev")
    for verb in verbs(postgresql_url):
        with pytest.raises(RefusedError, match=f"{postgresql_url.database}'.* {recorded}"):
            verb()
    assert migration_runner.current(postgresql_url) == migration_runner.heads()
    assert [problem.code for problem in migration_runner.status(postgresql_url).problems] == [
        "other-environment"
    ]
    with pytest.raises(RefusedError, match="is a copy of one that is recorded as") as said:
        migration_runner.upgrade(postgresql_url)
    go_the_way_out(said, postgresql_url, "dev")
    migration_runner.downgrade(postgresql_url, "base")
    after = identity(postgresql_url)
    assert (after.environment, after.pin) == ("dev", before.pin)
    assert after.id != before.id
    records = [e for e in migration_runner.journal(postgresql_url) if e.direction == "record"]
    assert [entry.detail for entry in records] == [f"{recorded} -> dev"]


def test_production_goes_on_where_it_was_moved_to(
    postgresql_url: URL, session: Callable[[str], None]
) -> None:
    session("prod")
    migration_runner.upgrade(postgresql_url)
    before = identity(postgresql_url)
    execute(postgresql_url, f"UPDATE {IDENTITY} SET pin = 'postgresql:1:1'")
    with pytest.raises(RefusedError, match="is destructive"):
        migration_runner.downgrade(postgresql_url)
    assert migration_runner.upgrade(postgresql_url).steps == ()
    after = identity(postgresql_url)
    assert (after.environment, after.pin) == ("prod", before.pin)
    assert after.id != before.id


def test_a_copied_file_keeps_its_class_too(
    sqlite_url: URL,
    tmp_path: Path,
    session: Callable[[str], None],
    go_the_way_out: Callable[..., None],
) -> None:
    session("staging")
    migration_runner.upgrade(sqlite_url)
    copy = sqlite_url.set(database=str(tmp_path / "a copy.db"))
    shutil.copy(str(sqlite_url.database), str(copy.database))
    session("dev")
    with pytest.raises(RefusedError, match="is a copy") as said:
        migration_runner.downgrade(copy)
    go_the_way_out(said, copy, "dev")
    migration_runner.downgrade(copy)
    assert identity(sqlite_url).environment == "staging"


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_what_a_database_elsewhere_is_is_asked_where_it_has_tables(
    postgresql_url: URL,
    session: Callable[[str], None],
    go_the_way_out: Callable[..., None],
    environment: str,
) -> None:
    session(environment)
    execute(postgresql_url, "CREATE SCHEMA theirs", "CREATE TABLE theirs.orders (id int)")
    url = postgresql_url.set(host=ELSEWHERE)
    for verb in (migration_runner.upgrade, migration_runner.stamp):
        with pytest.raises(RefusedError, match="counts as prod, but it would become") as said:
            verb(url)
    assert migration_runner.identity(url) is None
    (problem,) = migration_runner.status(url).problems
    assert (problem.code, problem.hint) == ("not-recorded", said.value.hint)
    go_the_way_out(said, url, environment)
    assert migration_runner.upgrade(url).steps
    assert identity(url).environment == environment


def test_a_throw_away_database_is_not_guessed_either(postgresql_url: URL) -> None:
    execute(postgresql_url, "CREATE TABLE orders (id int)")
    url = postgresql_url.set(host=ELSEWHERE)
    with pytest.raises(RefusedError, match="counts as prod, but it would become"):
        migration_runner.upgrade(url, ephemeral=True)


@pytest.mark.parametrize(
    ("host", "statement", "environment"),
    [
        ("127.0.0.1", "CREATE TABLE orders (id int)", "dev"),
        (ELSEWHERE, "CREATE VIEW seen AS SELECT 1 AS one", "dev"),
        (ELSEWHERE, "CREATE TEMPORARY TABLE orders (id int)", "dev"),
        (ELSEWHERE, "CREATE TABLE orders (id int)", "prod"),
    ],
    ids=["local", "a view", "a temporary table", "prod"],
)
def test_a_first_run_is_quiet_where_nothing_can_be_lost_by_it(
    postgresql_url: URL,
    session: Callable[[str], None],
    host: str,
    statement: str,
    environment: str,
) -> None:
    session(environment)
    with connect(postgresql_url) as beside, beside.begin():
        beside.exec_driver_sql(statement)
        beside.commit()
        url = postgresql_url.set(host=host)
        assert migration_runner.upgrade(url).steps
    assert identity(url).environment == environment


def test_a_reset_elsewhere_goes_on_whatever_is_in_other_schemas(postgresql_url: URL) -> None:
    url = postgresql_url.set(host=ELSEWHERE)
    migration_runner.upgrade(url)
    before = identity(url)
    execute(url, "CREATE SCHEMA theirs", "CREATE TABLE theirs.orders (id int)")
    assert migration_runner.reset(url).steps
    assert identity(url) == before


@pytest.fixture
def make_role(postgresql_url: URL) -> Iterator[Callable[[], URL]]:
    """Make a role with a schema of its own, which is all that it may use; return its URL."""
    made: list[str] = []

    def make() -> URL:
        name = f"wdh_known_{next(_numbers)}"
        execute(
            postgresql_url,
            f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
            f"CREATE SCHEMA {name} AUTHORIZATION {name}",
        )
        made.append(name)
        return postgresql_url.set(username=name, password="x")

    yield make
    for name in made:
        execute(postgresql_url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def core(postgresql_url: URL) -> URL:
    """The database, where its history is in the schema core."""
    execute(postgresql_url, "CREATE SCHEMA core")
    return postgresql_url.update_query_dict({"options": "-c search_path=core"})


def grants(hint: str) -> list[str]:
    found = re.findall(r"GRANT [^;]*", hint)
    assert found, hint
    return found


@pytest.mark.parametrize("recorded", ["dev", "prod"])
def test_a_record_that_the_role_may_not_read_counts_as_prod(
    postgresql_url: URL,
    core: URL,
    make_role: Callable[[], URL],
    session: Callable[[str], None],
    recorded: str,
) -> None:
    migration_runner.upgrade(core)
    migration_runner.record_environment(recorded, core)  # type: ignore[arg-type]
    app = make_role()
    for verb in verbs(app):
        with pytest.raises(RefusedError, match="cannot be read"):
            verb()
    with pytest.raises(RefusedError, match="cannot be read") as said:
        migration_runner.record_environment("dev", app, confirm=app.database)
    found = migration_runner.status(app)
    assert (found.environment, [one.code for one in found.problems]) == ("prod", ["record-hidden"])
    execute(postgresql_url, *grants(said.value.hint))
    if recorded == "dev":
        migration_runner.upgrade(app)
        migration_runner.downgrade(app, "base")
        return
    with pytest.raises(RefusedError, match="is recorded as prod"):
        migration_runner.upgrade(app)


def test_a_prod_session_goes_on_beside_a_record_that_it_may_not_read(
    core: URL, make_role: Callable[[], URL], session: Callable[[str], None]
) -> None:
    session("prod")
    migration_runner.upgrade(core)
    app = make_role()
    migration_runner.upgrade(app)
    assert identity(app).environment == "prod"
    assert migration_runner.status(app).is_clear
    with pytest.raises(RefusedError, match="has a record that cannot be read"):
        migration_runner.downgrade(app)
    migration_runner.downgrade(app, confirm=app.database)
    with pytest.raises(RefusedError, match="cannot be read"):
        migration_runner.reset(app)


@pytest.mark.parametrize("table", [IDENTITY, "work_data_hub_journal", "work_data_hub_in_progress"])
def test_an_own_record_that_cannot_be_read_is_called_that(
    postgresql_url: URL, make_role: Callable[[], URL], wdh_status: Callable[[URL], str], table: str
) -> None:
    app = make_role()
    migration_runner.upgrade(app)
    schema = app.username
    execute(
        postgresql_url,
        f"ALTER TABLE {schema}.{table} OWNER TO CURRENT_USER",
        f"REVOKE ALL ON {schema}.{table} FROM {schema}",
    )
    calls: list[Callable[[], object]] = [*verbs(app), lambda: migration_runner.journal(app)]
    for call in calls:
        with pytest.raises(RefusedError, match="cannot be read") as said:
            call()
        assert f"{schema}.{table}" in said.value.message
    told = wdh_status(app)
    assert f"{schema}.{table} of the database '{app.database}' cannot be read" in told
    assert "not recorded yet" not in told
    assert "removed" not in told
    execute(postgresql_url, *grants(said.value.hint))
    assert migration_runner.identity(app) is not None
    assert migration_runner.status(app).is_clear


@pytest.fixture
def wdh_status(capsys: pytest.CaptureFixture[str]) -> Callable[[URL], str]:
    """What `wdh db status` says."""
    from work_data_hub.cli.command import main

    def status(url: URL) -> str:
        text = url.render_as_string(hide_password=False)
        assert main(["db", "status", "--database-url", text]) == 0
        return capsys.readouterr().out

    return status


def test_a_record_whose_row_is_not_shown_counts_as_prod(
    postgresql_url: URL, core: URL, make_role: Callable[[], URL]
) -> None:
    migration_runner.upgrade(core)
    app = make_role()
    execute(
        postgresql_url,
        f"GRANT USAGE ON SCHEMA core TO {app.username}",
        f"GRANT SELECT ON core.{IDENTITY} TO {app.username}",
        f"ALTER TABLE core.{IDENTITY} ENABLE ROW LEVEL SECURITY",
    )
    with pytest.raises(RefusedError, match=f"core.{IDENTITY} .* cannot be read"):
        migration_runner.upgrade(app)
    execute(postgresql_url, f"CREATE POLICY all_of_it ON core.{IDENTITY} USING (true)")
    migration_runner.upgrade(app)


def test_the_strictest_of_two_identities_decides(
    postgresql_url: URL, core: URL, session: Callable[[str], None]
) -> None:
    migration_runner.upgrade(postgresql_url)
    migration_runner.upgrade(core)
    execute(core, f"UPDATE {IDENTITY} SET environment = 'staging'")
    for url in (postgresql_url, core):
        for verb in verbs(url):
            with pytest.raises(RefusedError, match="staging"):
                verb()
    session("staging")
    for url in (postgresql_url, core):
        with pytest.raises(RefusedError, match="is destructive"):
            migration_runner.downgrade(url)
    # Either history may say, for both, what the database is.
    migration_runner.record_environment("dev", postgresql_url, confirm=postgresql_url.database)
    session("dev")
    assert {identity(url).environment for url in (postgresql_url, core)} == {"dev"}
    migration_runner.downgrade(core)


def test_each_history_of_a_copy_is_known_again_after_one_word(
    postgresql_url: URL, core: URL, session: Callable[[str], None]
) -> None:
    session("prod")
    for url in (postgresql_url, core):
        migration_runner.upgrade(url)
        execute(url, f"UPDATE {IDENTITY} SET pin = 'postgresql:1:1'")
    session("dev")
    migration_runner.record_environment("dev", core, confirm=core.database)
    for url in (postgresql_url, core):
        migration_runner.upgrade(url)
    assert identity(postgresql_url) == identity(core)


def test_recording_a_class_keeps_the_identity(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    before = identity(database_url)
    migration_runner.record_environment("staging", database_url)
    after = identity(database_url)
    assert (after.id, after.pin, after.environment) == (before.id, before.pin, "staging")


def test_a_reset_is_refused_to_a_session_of_another_class(
    database_url: URL, session: Callable[[str], None]
) -> None:
    migration_runner.upgrade(database_url)
    agreed = migration_runner.plan_reset(database_url)
    session("staging")
    for plan in (None, agreed):  # asked before the lock is taken, and under it
        with pytest.raises(RefusedError, match="recorded as dev, but ENVIRONMENT is staging"):
            migration_runner.reset(database_url, agreed=plan)
    with connect(database_url) as connection:
        assert sa.inspect(connection).has_table("pipeline_executions")


def test_the_version_tables_own_schema_is_asked_for_the_identity(
    postgresql_url: URL, make_history: Callable[..., Path], revision_body: Any
) -> None:
    project = make_history([revision_body("pass")])
    env = project / "io/schema/migrations/env.py"
    env.write_text(
        env.read_text().replace("run(context)", "run(context, version_table_schema='apart')")
    )
    execute(postgresql_url, "CREATE SCHEMA apart")
    ini = project / "alembic.ini"
    migration_runner.upgrade(postgresql_url, alembic_ini=ini)
    assert migration_runner.identity(postgresql_url, alembic_ini=ini) is not None
