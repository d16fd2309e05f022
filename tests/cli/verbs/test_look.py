"""status, current and journal show what is, and change nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.own_history import DESCRIPTIONS, HEAD, IDS

from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from sqlalchemy.engine import URL


MORE = (["--check", "--json"], ["--json"])


def kinds(said: Any) -> list[str]:
    return [problem["kind"] for problem in said.data["problems"]]


def test_status_of_an_empty_database_shows_what_is_pending(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    said = wdh("status", url=database_url)
    assert said.exit_code == 0
    count = f"{len(IDS)} revision{'s' * (len(IDS) > 1)}"
    assert f"Pending      {count}; `wdh db upgrade` applies them\n" in said.out
    assert f"             {IDS[0]} {DESCRIPTIONS[0]}\n" in said.out
    assert "Revision     base: it is new\n" in said.out
    assert "Wrong" not in said.out
    assert "(DATABASE_URL" in said.out
    assert "not recorded yet" in said.out
    checked = wdh("status", "--check", "--json", url=database_url)
    assert (checked.exit_code, checked.data["ok"], kinds(checked)) == (1, False, ["not-recorded"])
    if database_url.get_backend_name() == "sqlite":
        assert checked.data["exists"] is False
        assert not engine.exists(database_url)


def test_status_at_head_is_clear_and_has_the_last_runs_for_programs(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    for _ in range(3):
        migration_runner.downgrade(database_url)
        migration_runner.upgrade(database_url)
    said = wdh("status", url=database_url)
    assert f"Revision     {HEAD} (head)" in said.out
    assert "Environment  dev" in said.out
    assert "Pending      nothing" in said.out
    assert "Run " not in said.out
    assert "Wrong" not in said.out
    data = wdh("status", "--json", url=database_url).data
    assert (data["is_clear"], data["revisions"], data["heads"]) == (True, [HEAD], [HEAD])
    assert len(data["last_runs"]) == 5
    if database_url.password:
        assert database_url.password not in said.out


def test_the_check_says_by_its_exit_code_what_the_status_says(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    checked, whole = (
        wdh("status", *more, "--json", url=database_url) for more in (["--check"], [])
    )
    assert checked.exit_code == whole.exit_code == 0
    assert checked.data == whole.data

    with engine.connect(database_url) as connection:
        connection.exec_driver_sql("DROP TABLE data_quality_metrics")
        connection.commit()
    checked, whole = (
        wdh("status", *more, "--json", url=database_url) for more in (["--check"], [])
    )
    assert (checked.exit_code, whole.exit_code) == (1, 0)
    assert kinds(checked) == kinds(whole) == ["schema-changed"]


def test_status_says_that_the_database_is_of_another_environment(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)
    monkeypatch.setenv("ENVIRONMENT", "staging")
    checked = wdh("status", "--check", "--json", url=database_url)
    assert (checked.exit_code, kinds(checked)) == (1, ["other-environment"])
    assert (checked.data["environment"], checked.data["session"]) == ("dev", "staging")


def test_status_says_that_the_record_was_removed(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    with engine.connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM work_data_hub_identity")
    assert kinds(wdh("status", "--check", "--json", url=database_url)) == ["record-removed"]


def test_status_names_an_interrupted_revision(wdh: Callable[..., Any], database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    with engine.connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO work_data_hub_in_progress VALUES ('alembic_version', 'x', 'upgrade',"
            " '2026-01-01 00:00:00.000000', 'somebody', 'somewhere', '[\"VACUUM\"]', NULL)"
        )
    checked = wdh("status", "--check", "--json", url=database_url)
    assert (checked.exit_code, kinds(checked)) == (1, ["interrupted"])
    assert "committed: VACUUM" in checked.data["problems"][0]["message"]


def test_what_is_pending_is_not_known_of_a_database_that_newer_code_has_migrated(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    with engine.connect(database_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '20991231_0000'")
        connection.commit()
    said = wdh("status", url=database_url)
    assert "Pending      not known: " in said.out
    assert "Wrong" in said.out


def test_status_names_a_file_that_has_vanished(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_history([revision_body("pass"), revision_body("pass")])
    wdh("upgrade", url=database_url, project=project)
    wdh("downgrade", "-1", url=database_url, project=project)
    with engine.connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM work_data_hub_journal WHERE direction='downgrade'")
    (project / "io/schema/migrations/versions/20260101_0001_step_1.py").unlink()
    checked = wdh("status", "--check", "--json", url=database_url, project=project)
    assert (checked.exit_code, kinds(checked)) == (1, ["edited"])
    (problem,) = checked.data["problems"]
    assert (problem["code"], problem["path"], problem["severity"]) == ("vanished", None, "error")
    assert "its file is gone" in problem["message"]
    assert "--accept 20260101_0001" in problem["hint"]
    monkeypatch.setenv("WDH_EDITED_REVISIONS", "warn")
    tolerated = wdh("status", "--check", "--json", url=database_url, project=project)
    assert (tolerated.exit_code, kinds(tolerated)) == (1, ["edited"])
    assert tolerated.data["problems"][0]["severity"] == "warning"


def test_current_and_journal_show_the_database(wdh: Callable[..., Any], database_url: URL) -> None:
    assert wdh("current", url=database_url).out == "base (no revision)\n"
    assert wdh("journal", url=database_url).out == "nothing was run yet\n"
    assert wdh("current", "--quiet", url=database_url).out == ""
    migration_runner.upgrade(database_url)
    migration_runner.downgrade(database_url)
    migration_runner.upgrade(database_url)
    assert wdh("current", "--json", url=database_url).data["revisions"] == [HEAD]
    rows = wdh("journal", "--json", url=database_url).data["journal"]
    directions = [*["upgrade"] * len(IDS), "downgrade", "upgrade"]
    assert [row["direction"] for row in rows] == directions
    (line,) = wdh("journal", "--last", "1", url=database_url).out.splitlines()
    newest = datetime.fromisoformat(rows[-1]["started_at"])
    assert newest.utcoffset() == timedelta(0)
    assert line.startswith(f"{newest:%Y-%m-%d %H:%M:%S} UTC done ")
    for wrong in ("0", "-1", "x"):
        said = wdh("journal", "--last", wrong, url=database_url)
        assert said.exit_code == 2
        assert f"'{wrong}' is no number of rows" in said.err


def test_history_is_listed_from_the_newest_and_needs_no_database(
    wdh: Callable[..., Any], make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> None:
    project = make_history([revision_body("pass"), revision_body("pass")])
    said = wdh("history", url="postgresql://nobody@127.0.0.1:1/none", project=project)
    assert said.out == "20260101_0001 (head)  Step 1.\n20260101_0000  Step 0.\n"
    bare = wdh("history", "--quiet", project=project)
    assert bare.out == "20260101_0001\n20260101_0000\n"
    newest = wdh("history", "--json", project=project).data["revisions"][0]
    assert (newest["down_revisions"], newest["is_head"]) == (["20260101_0000"], True)


def test_what_must_be_executed_to_be_understood_is_listed_too(
    wdh: Callable[..., Any], make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> None:
    project = make_history([revision_body("pass")])
    file = project / "io/schema/migrations/versions/20260101_0000_step_0.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('revision = "2', 'revision = "".join(["2'), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('_0000"\n', '_0000"])\n'), encoding="utf-8")
    assert wdh("heads", project=project).out == "20260101_0000\n"
    assert wdh("history", project=project).out == "20260101_0000 (head)  Step 0.\n"


def test_what_a_revision_does_is_the_first_paragraph_of_its_docstring_everywhere(
    wdh: Callable[..., Any],
    make_history: Callable[..., Path],
    revision_body: Any,
    sqlite_url: URL,
) -> None:
    project = make_history([revision_body("pass")])
    (path,) = (project / "io/schema/migrations/versions").glob("*.py")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('"""Step 0.', '"""\nSay in two\nlines what it does.\n\nRevision ID: x'),
        encoding="utf-8",
    )
    said = "Say in two lines what it does."
    (listed,) = wdh("history", "--json", url=sqlite_url, project=project).data["revisions"]
    (pending,) = wdh("status", "--json", url=sqlite_url, project=project).data["pending"]
    (step,) = wdh("upgrade", "--json", url=sqlite_url, project=project).data["steps"]
    assert [each["description"] for each in (listed, pending, step)] == [said] * 3
    assert f"20260101_0000 {said} (" in wdh("journal", url=sqlite_url, project=project).out
