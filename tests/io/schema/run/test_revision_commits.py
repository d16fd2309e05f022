"""Commits that a revision makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.cli.command import main
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

MADE = "op.execute('CREATE TABLE made (id integer)')\n"
ALSO = "op.execute('CREATE TABLE also (id integer)')\n"
COMMIT = "op.get_bind().commit()\n"
BLOCK = (
    "with op.get_context().autocommit_block():\n"
    "    op.execute('CREATE TABLE outside (id integer)')\n"
)
FAILING = "op.execute('SELECT * FROM nowhere')\n"
ID = "20260101_0000"


def tables(url: URL) -> set[str]:
    with connect(url, read_only=True) as connection:
        return {*sa.inspect(connection).get_table_names()} & {"made", "also", "outside"}


def marks(url: URL) -> int:
    with connect(url, read_only=True) as connection:
        query = "SELECT count(*) FROM work_data_hub_in_progress"
        return int(connection.exec_driver_sql(query).scalar_one())


def last(url: URL) -> Any:
    return migration_runner.journal(url)[-1]


def test_a_commit_directly_before_an_autocommit_block_is_the_blocks_own(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(MADE + COMMIT + BLOCK + ALSO)])
    run_alembic(project, database_url, "upgrade", "head")
    assert tables(database_url) == {"made", "also", "outside"}
    assert marks(database_url) == 0
    assert (last(database_url).outcome, last(database_url).detail) == ("done", None)


def test_what_fails_behind_such_a_commit_is_said_to_be_committed_in_part(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(MADE + COMMIT + BLOCK + FAILING)])
    with pytest.raises(MigrationFailedError, match="nowhere") as failed:
        run_alembic(project, database_url, "upgrade", "head")
    assert "a part of it is committed" in failed.value.hint
    assert marks(database_url) == 1


@pytest.mark.parametrize(
    "behind", [ALSO + BLOCK, "op.get_bind().execute(sa.text('SELECT 1'))\n", ""]
)
@pytest.mark.parametrize("commit", [COMMIT, "op.execute('COMMIT')\n"])
def test_a_commit_elsewhere_is_refused_before_it_happens(
    commit: str,
    behind: str,
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    project = make_history([revision_body(MADE + commit + behind)])
    with pytest.raises(MigrationFailedError, match="ends its own transaction") as refused:
        run_alembic(project, database_url, "upgrade", "head", allow_commit=("another",))
    assert f"allow-commit={ID}" in refused.value.hint
    assert "it was rolled back" in refused.value.hint
    assert tables(database_url) == set()


RAW = "op.get_bind().connection.driver_connection"
OFFERED = [
    COMMIT,
    "op.execute('COMMIT')\n",
    "op.execute(' commit; ')\n",
    "op.execute('END TRANSACTION')\n",
    "op.get_bind().exec_driver_sql('COMMIT')\n",
    f"{RAW}.commit()\n",
    f"{RAW}.execute('COMMIT')\n",
]


@pytest.mark.parametrize("commit", OFFERED)
def test_a_released_revision_may_commit_when_it_is_named_as_the_hint_says(
    commit: str,
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    project = make_history([revision_body(MADE + commit + ALSO + commit)])
    with pytest.raises(MigrationFailedError) as refused:
        run_alembic(project, database_url, "upgrade", "head")
    assert f"wdh db upgrade --allow-commit {ID}" in refused.value.hint
    url = database_url.render_as_string(hide_password=False)
    words = ["db", "upgrade", "--config", str(project / "alembic.ini"), "--database-url", url]
    assert main([*words, "--allow-commit", ID]) == 0
    assert tables(database_url) == {"made", "also"}
    assert marks(database_url) == 0
    assert last(database_url).outcome == "done"
    assert "allow-commit" in last(database_url).detail


@pytest.mark.parametrize("commit", OFFERED)
def test_a_downgrade_may_commit_when_it_is_named_as_the_hint_says(
    commit: str,
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    drop = "op.execute('DROP TABLE made')\n"
    project = make_history([revision_body(MADE, drop + commit + ALSO)])
    run_alembic(project, database_url, "upgrade", "head")
    with pytest.raises(MigrationFailedError) as refused:
        run_alembic(project, database_url, "downgrade", "-1")
    assert f"wdh db downgrade --allow-commit {ID}" in refused.value.hint
    assert tables(database_url) == {"made"}
    url = database_url.render_as_string(hide_password=False)
    words = ["db", "downgrade", "--config", str(project / "alembic.ini"), "--database-url", url]
    assert main([*words, "--allow-commit", ID, "-1"]) == 0
    assert tables(database_url) == {"also"}
    assert marks(database_url) == 0
    assert "allow-commit" in last(database_url).detail


def test_what_is_redone_may_commit_both_ways(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history(
        [revision_body(MADE + COMMIT, "op.execute('DROP TABLE made')\n" + COMMIT)]
    )
    run_alembic(project, database_url, "upgrade", "head", allow_commit=(ID,))
    url = database_url.render_as_string(hide_password=False)
    words = ["db", "redo", "--config", str(project / "alembic.ini"), "--database-url", url]
    assert main(words) == 6
    assert main([*words, "--allow-commit", ID]) == 0
    assert tables(database_url) == {"made"}


@pytest.mark.parametrize("commit", OFFERED)
def test_a_dry_run_takes_back_what_may_commit_or_does_not_try_it(
    commit: str,
    database_url: URL,
    make_history: Any,
    revision_body: Any,
) -> None:
    project = make_history([revision_body(MADE + commit + ALSO)])
    ini = project / "alembic.ini"
    trial = migration_runner.dry_run(database_url, allow_commit=(ID,), alembic_ini=ini)
    done = trial.tried if trial.on_a_copy else trial.untried
    assert [step.revision for step in done] == [ID]
    if database_url.get_backend_name() == "postgresql":  # of SQLite there is no file yet
        assert tables(database_url) == set()


def test_what_fails_behind_an_allowed_commit_is_named_and_never_repeated_blindly(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(MADE + COMMIT + ALSO + FAILING)])
    with pytest.raises(MigrationFailedError, match="nowhere") as failed:
        run_alembic(project, database_url, "upgrade", "head", allow_commit=(ID,))
    assert "a part of it is committed" in failed.value.hint
    assert tables(database_url) == {"made"}
    make_history([revision_body(MADE + COMMIT + ALSO)])
    with pytest.raises(MigrationFailedError, match="CREATE TABLE made"):
        run_alembic(project, database_url, "upgrade", "head", allow_commit=(ID,))
    with connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DROP TABLE made")
    run_alembic(project, database_url, "upgrade", "head", allow_commit=(ID,), resolved=ID)
    assert tables(database_url) == {"made", "also"}
    assert marks(database_url) == 0


@pytest.mark.parametrize("allowed", [(), (ID,)])
def test_no_other_way_to_end_the_transaction_is_allowed(
    allowed: tuple[str, ...],
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    code = MADE + "op.get_bind().get_transaction().commit()\n" + ALSO
    with pytest.raises(MigrationFailedError, match="ends its own transaction") as refused:
        run_alembic(
            make_history([revision_body(code)]),
            database_url,
            "upgrade",
            "head",
            allow_commit=allowed,
        )
    assert "allow-commit" not in refused.value.hint
    assert tables(database_url) == set()
