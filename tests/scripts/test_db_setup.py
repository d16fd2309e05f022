"""scripts/db_setup.py, run as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.own_history import BELOW_HEAD, HEAD

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons

    from work_data_hub.testing.databases import MigratedDatabases

    DbSetup = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def db_setup(warm_pythons: WarmPythons) -> DbSetup:
    """Run the script with an environment and arguments."""

    def run(
        environment: dict[str, str], *arguments: str, cwd: Path = REPOSITORY
    ) -> subprocess.CompletedProcess[str]:
        script = str(REPOSITORY / "scripts" / "db_setup.py")
        return warm_pythons.run(script, *arguments, cwd=cwd, env=environment, timeout=120)

    return run


def written(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def test_one_call_creates_migrates_and_seeds_and_a_second_has_nothing_to_do(
    database_url: URL, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    arguments = ("--database-url", written(database_url), "--seed", "--json")
    first = db_setup(clean_environment, *arguments)
    assert first.returncode == 0, first.stderr
    result: dict[str, Any] = json.loads(first.stdout)
    assert result["version"] == 1
    assert result["revision"] == list(migration_runner.heads())
    assert result["seed_rows"] == 9
    assert result["tables"] == {"data_quality_metrics": 4, "pipeline_executions": 5}
    second = json.loads(db_setup(clean_environment, *arguments).stdout)
    assert (second["steps"], second["seed_rows"]) == ([], 0)
    assert second["tables"] == result["tables"]


@pytest.mark.parametrize("is_there", [True, False])
def test_seeds_that_need_a_confirmation_are_refused_before_the_schema_is_touched(
    sqlite_url: URL, db_setup: DbSetup, clean_environment: dict[str, str], is_there: bool
) -> None:
    environment = {**clean_environment, "ENVIRONMENT": "staging"}
    file = Path(str(sqlite_url.database))
    if is_there:
        named = ("--database-url", written(sqlite_url))
        for more in ((), ("--downgrade", "base", "--confirm", file.name)):
            made = db_setup(environment, *named, *more)
            assert made.returncode == 0, made.stderr
    arguments = ("--database-url", written(sqlite_url), "--seed")
    refused = db_setup(environment, *arguments)
    assert refused.returncode == 4
    assert f"--confirm {file.name}" in refused.stderr
    if is_there:
        with connect(sqlite_url, read_only=True) as connection:
            assert not sa.inspect(connection).has_table("pipeline_executions")
    else:
        assert not file.exists()
    done = db_setup(environment, *arguments, "--confirm", file.name)
    assert done.returncode == 0, done.stderr


def test_people_see_where_the_database_is_and_what_is_in_it(
    sqlite_url: URL, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    arguments = ("--database-url", written(sqlite_url), "--seed")
    first = db_setup(clean_environment, *arguments).stdout
    assert str(sqlite_url.database) in first
    assert f"Revision  {HEAD}" in first
    assert "9 rows loaded" in first
    assert "pipeline_executions              5 rows" in " ".join(first.split("\n"))
    second = db_setup(clean_environment, *arguments).stdout
    assert second.count("nothing had to be done") == 2


def test_a_postgresql_database_that_does_not_exist_is_created(
    postgresql_databases: MigratedDatabases, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    name = 'wdh_test_made by "db_setup" ü'
    url = postgresql_databases.server.set(database=name)
    try:
        process = db_setup(clean_environment, "--database-url", written(url), "--seed")
        assert process.returncode == 0, process.stderr
        assert url.password is not None
        assert url.password not in process.stdout + process.stderr
        assert migration_runner.current(url) == migration_runner.heads()
    finally:
        admin = sa.create_engine(postgresql_databases.server, poolclass=sa.NullPool)
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            quoted = admin.dialect.identifier_preparer.quote(name)
            connection.exec_driver_sql(f"DROP DATABASE {quoted} WITH (FORCE)")


def test_the_folder_of_a_sqlite_file_is_created(
    tmp_path: Path, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    path = tmp_path / "new" / "größe" / "hub.db"
    process = db_setup(clean_environment, "--database-url", f"sqlite:///{path}")
    assert process.returncode == 0, process.stderr
    assert path.exists()


def test_downgrade_takes_back_one_step_or_all(
    database_url: URL, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    one_step = [["--downgrade"], ["--downgrade", "-1"]]
    for arguments in (*one_step, ["--downgrade", "base"]):
        migration_runner.upgrade(database_url)
        left = BELOW_HEAD if arguments in one_step else ()
        process = db_setup(clean_environment, "--database-url", written(database_url), *arguments)
        assert process.returncode == 0, process.stderr
        assert f"Revision  {', '.join(left) or 'base (no revision)'}" in process.stdout
        assert migration_runner.current(database_url) == left


def test_staging_is_only_taken_back_by_its_name(
    sqlite_url: URL, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    staging = {**clean_environment, "ENVIRONMENT": "staging"}
    arguments = ("--database-url", written(sqlite_url))
    assert db_setup(staging, *arguments).returncode == 0
    refused = db_setup(staging, *arguments, "--downgrade", "base")
    assert refused.returncode == 4
    assert "--confirm database.db" in refused.stderr
    assert db_setup(clean_environment, *arguments).returncode == 4
    confirmed = db_setup(staging, *arguments, "--downgrade", "base", "--confirm", "database.db")
    assert confirmed.returncode == 0, confirmed.stderr


def test_the_database_that_is_created_is_the_one_that_is_asked_for(
    postgresql_databases: MigratedDatabases, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    server = postgresql_databases.server
    asked = server.set(database="decoy").update_query_dict({"dbname": "wdh_test_asked_for"})
    admin = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    try:
        process = db_setup(clean_environment, "--database-url", written(asked))
        assert process.returncode == 0, process.stderr
        assert migration_runner.current(server.set(database="wdh_test_asked_for"))
    finally:
        with admin.connect() as connection:
            made = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
            connection.exec_driver_sql("DROP DATABASE IF EXISTS wdh_test_asked_for WITH (FORCE)")
    assert "decoy" not in made


@pytest.mark.parametrize(
    ("content", "words"), [(None, "missing.sql"), (b"SELECT '\xff';", "UTF-8")]
)
def test_a_seed_file_that_cannot_be_read_is_refused_before_the_database_is_touched(
    tmp_path: Path,
    db_setup: DbSetup,
    clean_environment: dict[str, str],
    content: bytes | None,
    words: str,
) -> None:
    if content is not None:
        (tmp_path / "missing.sql").write_bytes(content)
    arguments = ("--database-url", "sqlite:///x.db", "--seed", "--seed-file", "missing.sql")
    process = db_setup(clean_environment, *arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert words in process.stderr
    assert len(process.stderr.splitlines()) == 2
    assert not (tmp_path / "x.db").exists()


def test_a_faulty_seed_file_leaves_no_row_and_is_named_with_its_line(
    database_url: URL, tmp_path: Path, db_setup: DbSetup, clean_environment: dict[str, str]
) -> None:
    path = tmp_path / "bad.sql"
    path.write_text(
        "INSERT INTO pipeline_executions (execution_id, pipeline_name, status, started_at)\n"
        "VALUES ('0a1b2c3d-4e5f-4a6b-8c7d-9e8f7a6b5c4d', 'x', 'failed', '2026-01-01 00:00:00Z');\n"
        "-- ; the next one is wrong\nINSERT INTO nowhere VALUES (1);\n",
        encoding="utf-8",
    )
    arguments = ("--database-url", written(database_url), "--seed-file", str(path))
    process = db_setup(clean_environment, *arguments)
    assert process.returncode == 6
    assert f"{path}:4" in process.stderr
    assert "INSERT INTO nowhere" in process.stderr
    with connect(database_url) as connection:
        assert row_counts(connection)["pipeline_executions"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--database-url", "nonsense"], 2),
        (["--downgrade", "--seed"], 2),
        (["--downgrade", ""], 2),
        (["--revision", "nope", "--database-url", "sqlite://"], 3),
        (["--database-url", "postgresql://u:hunter2@127.0.0.1:1/x"], 7),
        (["--database-url", "sqlite:////proc/none/x.db"], 7),
        (["--database-url", "sqlite:///:memory:", "--seed"], 6),  # each connection has its own
    ],
)
def test_a_fault_has_its_exit_code_and_no_traceback(
    db_setup: DbSetup, clean_environment: dict[str, str], arguments: list[str], code: int
) -> None:
    process = db_setup(clean_environment, *arguments)
    assert process.returncode == code, process.stderr
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    assert "hunter2" not in process.stderr


def test_help_has_examples(db_setup: DbSetup, clean_environment: dict[str, str]) -> None:
    process = db_setup(clean_environment, "--help")
    assert process.returncode == 0
    assert "examples:" in process.stdout


def test_a_python_without_the_package_is_told_what_to_do(
    clean_environment: dict[str, str],
) -> None:
    script = str(REPOSITORY / "scripts" / "db_setup.py")
    process = subprocess.run(
        [sys.executable, "-I", "-S", script],
        env=clean_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 7
    assert "make install" in process.stderr
