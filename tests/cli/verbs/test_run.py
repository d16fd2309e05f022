"""upgrade, downgrade, stamp and sql do what the runner does, and say so in three ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from tests.own_history import BELOW_HEAD, DESCRIPTIONS, HEAD, IDS

from work_data_hub.domain.record.record import NAMES
from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from sqlalchemy.engine import URL


def test_upgrade_applies_what_is_pending_and_then_has_nothing_to_do(
    wdh_process: Callable[..., Any], database_url: URL
) -> None:
    first = wdh_process("db", "upgrade", url=database_url)
    assert (first.exit_code, first.err.startswith(f"[1/{len(IDS)}] upgrade {IDS[0]} ")) == (0, True)
    assert first.out.endswith(f"is at {HEAD}: {len(IDS)} step{'s' * (len(IDS) > 1)}\n")
    second = wdh_process("db", "upgrade", url=database_url)
    assert (second.exit_code, second.err) == (0, "")
    assert second.out.endswith(f"is at {HEAD}: nothing had to be done\n")
    assert migration_runner.current(database_url) == (HEAD,)


def test_json_has_every_step_with_its_time(wdh: Callable[..., Any], database_url: URL) -> None:
    said = wdh("upgrade", "--json", url=database_url)
    steps = said.data.pop("steps")
    assert all(step.pop("seconds") >= 0 for step in steps)
    assert steps == [
        {"revision": revision, "direction": "upgrade", "description": description}
        for revision, description in zip(IDS, DESCRIPTIONS, strict=True)
    ]
    head = {name: said.data[name] for name in ("schema", "verb", "ok", "exit_code")}
    assert head == {"schema": 1, "verb": "upgrade", "ok": True, "exit_code": 0}
    again = wdh("upgrade", "--json", url=database_url).data
    assert (again["before"], again["after"], again["steps"]) == ([HEAD], [HEAD], [])
    assert again.keys() == said.data.keys()
    assert "password" not in again["database"]


def test_quiet_says_nothing_unless_something_is_wrong(
    wdh: Callable[..., Any], sqlite_url: URL
) -> None:
    said = wdh("upgrade", "--quiet", url=sqlite_url)
    assert (said.exit_code, said.out, said.err) == (0, "", "")
    said = wdh("upgrade", "nowhere", "--quiet", url=sqlite_url)
    assert (said.exit_code, said.out) == (3, "")
    assert said.err.startswith("error: ")


def test_downgrade_and_stamp_go_where_they_are_told(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    wdh("upgrade", url=database_url)
    assert wdh("downgrade", "-1", "--json", url=database_url).data["after"] == [*BELOW_HEAD]
    wdh("downgrade", "base", url=database_url)
    assert wdh("stamp", "head", url=database_url).exit_code == 4  # nothing of it is there
    wdh("stamp", "--confirm-drift", "head", url=database_url)
    forgotten = wdh("stamp", "--purge", "base", url=database_url)
    assert forgotten.out.endswith(" is at base (no revision): what was recorded is forgotten\n")
    stamped = wdh("stamp", "--confirm-drift", "head", "--json", url=database_url)
    assert stamped.data["after"] == [HEAD]
    with engine.connect(database_url) as connection:
        assert not sa.inspect(connection).has_table("pipeline_executions")


def test_a_revision_whose_file_is_gone_is_forgotten_as_the_hint_says(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Any,
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    project = make_history([revision_body("pass"), revision_body("pass")])
    config = ("--config", str(project / "alembic.ini"))
    wdh("upgrade", *config, url=database_url)
    (gone,) = (project / "io/schema/migrations/versions").glob("20260101_0001_*.py")
    gone.unlink()
    (project / "io/schema/migrations/heads.txt").unlink(missing_ok=True)
    stopped = wdh("upgrade", *config, url=database_url)
    assert stopped.exit_code == 3
    assert f"`wdh db stamp {' '.join(config)} --purge REVISION`" in stopped.err
    name = ("--confirm", Path(str(database_url.database)).name)
    again = wdh("stamp", "--purge", "head", *name, "--json", *config, url=database_url)
    assert again.data["after"] == ["20260101_0000"]
    assert wdh("upgrade", *config, url=database_url).exit_code == 0


def test_downgrade_on_staging_must_name_the_database(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    wdh("upgrade", url=database_url)
    refused = wdh("downgrade", "base", url=database_url)
    assert refused.exit_code == 4
    assert "--confirm" in refused.err
    name = database_url.database or ""
    name = Path(name).name if database_url.get_backend_name() == "sqlite" else name
    assert wdh("downgrade", "base", "--confirm", name, url=database_url).exit_code == 0


def test_an_edited_revision_stops_the_run_until_it_is_accepted(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
) -> None:
    project = make_history([revision_body("op.execute('SELECT 1')")])
    wdh("upgrade", url=database_url, project=project)
    make_history([revision_body("op.execute('SELECT 2')")])
    checked = wdh("status", "--check", "--json", url=database_url, project=project)
    assert (checked.exit_code, checked.data["problems"][0]["kind"]) == (1, "edited")
    stopped = wdh("upgrade", url=database_url, project=project)
    assert stopped.exit_code == 3
    assert "wdh db upgrade --accept 20260101_0000" in stopped.err
    accepted = wdh("upgrade", "--accept", "20260101_0000", url=database_url, project=project)
    assert (accepted.exit_code, accepted.err) == (0, "")
    assert accepted.out.endswith("is at 20260101_0000: accepted 20260101_0000 as its file is now\n")
    assert wdh("status", "--check", url=database_url, project=project).exit_code == 0


def test_an_upgrade_says_what_it_adopts(wdh: Callable[..., Any], database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    with engine.connect(database_url) as connection, connection.begin():
        for table in NAMES:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    first = wdh("upgrade", "--json", url=database_url)
    assert (first.data["steps"], first.data["adopted"]) == ([], [*IDS])
    with engine.connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM work_data_hub_journal")
    count = f"{len(IDS)} revision{'s' * (len(IDS) > 1)}"
    second = wdh("upgrade", url=database_url)
    assert second.out.endswith(f"is at {HEAD}: adopted {count} that had been applied before\n")
    third = wdh("upgrade", "--json", url=database_url)
    assert (third.data["adopted"], third.data["accepted"]) == ([], [])


def test_a_failed_run_says_what_was_applied_what_failed_and_what_is_pending(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
) -> None:
    bodies = ["op.execute('SELECT 1')", "op.execute('SELECT nonsense')", "pass"]
    project = make_history([revision_body(body) for body in bodies])
    said = wdh("upgrade", "--json", url=database_url, project=project)
    assert said.exit_code == said.data["exit_code"] == 6
    assert (said.data["ok"], said.data["applied"]) == (False, ["20260101_0000"])
    assert (said.data["failed"], said.data["pending"]) == ("20260101_0001", ["20260101_0002"])
    assert "20260101_0001_step_1.py" in said.data["error"]
    assert "rolled back" in said.data["hint"]


def test_sql_prints_the_script_that_alembic_prints_and_what_the_shell_must_be_told(
    wdh: Callable[..., Any], alembic: Callable[..., Any], database_url: URL
) -> None:
    theirs = alembic("upgrade", "head", "--sql", url=database_url)
    said = wdh("sql", url=database_url)
    is_postgresql = database_url.get_backend_name() == "postgresql"
    shell = "\\set ON_ERROR_STOP on\n\n" if is_postgresql else ".bail on\n.timeout 30000\n\n"
    assert (said.exit_code, said.out.rstrip()) == (0, shell + theirs.stdout.rstrip())
    assert "DROP TABLE" in wdh("sql", "--downgrade", f"{HEAD}:base", url=database_url).out
    assert json.loads(wdh("sql", "--json", url=database_url).out)["sql"] == shell + theirs.stdout
    assert wdh("sql", "--downgrade", "base", url=database_url).exit_code == 2
    assert engine.exists(database_url) is (database_url.get_backend_name() == "postgresql")


def test_an_explicit_url_beats_the_environment(
    wdh: Callable[..., Any], sqlite_url: URL, tmp_path: Path
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    wdh("upgrade", "--database-url", other, url=sqlite_url)
    assert not engine.exists(sqlite_url)
    assert (tmp_path / "other.db").exists()


def test_the_project_is_the_nearest_alembic_ini(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    tmp_path: Path,
) -> None:
    project = make_history([revision_body("pass")])
    inside = project / "io" / "schema"
    assert wdh("heads", project=inside).out == "20260101_0000\n"
    nowhere = wdh("heads", project=tmp_path)
    assert (nowhere.exit_code, nowhere.out) == (2, "")
    assert "there is no alembic.ini in" in nowhere.err
    own = wdh("heads", "--config", "work_data_hub", project=tmp_path)
    assert own.out == f"{HEAD}\n"
    named = wdh("heads", "--config", str(project / "alembic.ini"), project=tmp_path)
    assert named.out == "20260101_0000\n"
    missing = wdh("heads", "--config", str(tmp_path / "no.ini"), project=tmp_path)
    assert missing.exit_code == 2


def test_another_project_has_no_default_database_but_what_it_says_itself(
    wdh: Callable[..., Any], make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> None:
    project = make_history([revision_body("pass")])
    for verb in ("upgrade", "status", "sql"):
        said = wdh(verb, project=project)
        assert (said.exit_code, said.out) == (2, "")
        assert said.err.startswith("error: no database is named")
    assert not list(project.rglob("*.db"))
    ini = project / "alembic.ini"
    url = "sqlalchemy.url = sqlite:///%(here)s/of_the_project.db"
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\n{url}", 1))
    assert wdh("upgrade", project=project / "io").exit_code == 0
    assert (project / "of_the_project.db").exists()
    env = project / "io/schema/migrations/env.py"
    own = f"run(context, default_url='sqlite:///{project}/of_env.db'"
    env.write_text(env.read_text().replace("run(context", own))
    assert wdh("upgrade", project=project).exit_code == 0
    assert (project / "of_env.db").exists()


def test_what_the_session_says_goes_before_what_the_project_says(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    sqlite_url: URL,
) -> None:
    project = make_history([revision_body("pass")])
    ini = project / "alembic.ini"
    url = "sqlalchemy.url = sqlite:///%(here)s/of_the_project.db"
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\n{url}", 1))
    assert wdh("upgrade", url=sqlite_url, project=project).exit_code == 0
    assert engine.exists(sqlite_url)
    assert not (project / "of_the_project.db").exists()


def test_a_range_with_two_colons_is_refused_in_words(wdh: Callable[..., Any]) -> None:
    said = wdh("sql", f"base:{HEAD}:head")
    assert said.exit_code == 2
    assert "more than one colon" in said.err
