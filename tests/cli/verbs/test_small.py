"""seed, wait and completion."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import HEAD, IDS

from work_data_hub.cli.verb_table import VERBS
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL


# As if the file had meant something else when it was applied.
EDITED = (
    "UPDATE work_data_hub_journal"
    " SET digest = 'another', checksum = substr(checksum, 1, length(checksum) - 9) || 'different'"
    f" WHERE revision = '{HEAD}' AND direction = 'upgrade'"
)


def change(url: URL, statement: str) -> None:
    with connect(url) as connection, connection.begin():
        assert connection.exec_driver_sql(statement).rowcount == 1


def test_seed_loads_the_shipped_rows_and_then_has_nothing_to_do(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    assert wdh("seed", url=database_url).out == "9 rows loaded\n"
    assert wdh("seed", "--json", url=database_url).data["rows"] == 0
    with connect(database_url) as connection:
        assert sum(row_counts(connection).values()) == 9


def test_a_seed_file_that_fails_leaves_nothing(
    wdh: Callable[..., Any], database_url: URL, tmp_path: Path
) -> None:
    file = tmp_path / "rows.sql"
    file.write_text("CREATE TABLE mine (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    migration_runner.upgrade(database_url)
    said = wdh("seed", str(file), url=database_url)
    assert said.exit_code == 6
    assert f"{file}:2" in said.err
    with connect(database_url) as connection:
        assert "mine" not in row_counts(connection)


def test_seed_refuses_a_database_of_another_environment(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)
    monkeypatch.setenv("ENVIRONMENT", "staging")
    said = wdh("seed", url=database_url)
    assert said.exit_code == 4


def test_seed_creates_no_database(wdh: Callable[..., Any], sqlite_url: URL) -> None:
    said = wdh("seed", url=sqlite_url)
    assert said.exit_code == 2
    assert "wdh db upgrade" in said.err


def test_another_project_has_no_seeds(
    wdh: Callable[..., Any], make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> None:
    said = wdh("seed", project=make_history([revision_body("pass")]))
    assert (said.exit_code, "wdh db seed FILE" in said.err) == (2, True)


def test_wait_ends_when_the_database_is_at_head(wdh: Callable[..., Any], database_url: URL) -> None:
    early = wdh("wait", "--timeout", "0", url=database_url)
    assert (early.exit_code, early.out) == (1, "")
    assert f"{len(IDS)} revision(s) are pending" in early.err
    migration_runner.upgrade(database_url)
    assert wdh("wait", "--timeout", "0", url=database_url).exit_code == 0


def test_wait_sees_what_another_process_does(
    wdh: Callable[..., Any], start_alembic: Callable[..., Any], database_url: URL
) -> None:
    from pathlib import Path

    other = start_alembic(Path(__file__).parents[3], database_url)
    assert wdh("wait", "--timeout", "60", url=database_url).exit_code == 0
    other.communicate(timeout=60)


def test_wait_says_why_it_gave_up(wdh: Callable[..., Any]) -> None:
    said = wdh("wait", "--timeout", "0.1", url="postgresql://u:hunter2@127.0.0.1:1/none")
    assert said.exit_code == 7
    assert "hunter2" not in said.err
    for seconds in ("-1", "nan"):
        assert wdh("wait", "--timeout", seconds).exit_code == 2


@pytest.mark.parametrize(
    ("what", "exit_code"),
    [("ahead", 3), ("other environment", 4), ("edited", 3), ("no project", 2)],
)
def test_wait_ends_as_a_run_would_where_waiting_cannot_mend_it(
    wdh: Callable[..., Any],
    database_url: URL,
    tmp_path: Path,
    what: str,
    exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migration_runner.upgrade(database_url)
    config: tuple[str, ...] = ()
    if what == "ahead":
        change(database_url, "UPDATE alembic_version SET version_num = '20991231_2359'")
    elif what == "edited":
        change(database_url, EDITED)
    elif what == "other environment":
        monkeypatch.setenv("ENVIRONMENT", "staging")
    else:
        (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = nowhere\n")
        config = ("--config", str(tmp_path / "alembic.ini"))
    started = time.monotonic()
    said = wdh("wait", "--timeout", "60", *config, url=database_url)
    assert said.exit_code == exit_code, said.err
    assert time.monotonic() - started < 30
    run = wdh("upgrade", *config, url=database_url)
    assert (run.exit_code, run.err) == (exit_code, said.err)


def test_wait_is_content_with_what_a_run_only_warns_of(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)
    change(database_url, EDITED)
    monkeypatch.setenv("WDH_EDITED_REVISIONS", "warn")
    assert wdh("wait", "--timeout", "0", url=database_url).exit_code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb(wdh: Callable[..., Any], shell: str) -> None:
    script = wdh("completion", shell).out
    assert all(verb in script for verb in VERBS)
    assert "--database-url" in script or "database-url" in script


def test_bash_completes_a_verb(wdh: Callable[..., Any]) -> None:
    program = wdh("completion", "bash").out + (
        '\nCOMP_WORDS=(wdh db upg); COMP_CWORD=2; _shtab_wdh 2>/dev/null; echo "${COMPREPLY[@]}"\n'
    )
    completed = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "upgrade"
