"""doctor names what is unhealthy about a database, and mends what somebody agrees to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.checkups import execute

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.snapshot import doctor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

PAGE = Path(__file__).parents[3] / "docs" / "command-line.md"
LEFT = ("CREATE TABLE orders (id INT)", "CREATE TABLE _alembic_tmp_orders (id INT)")
UNINDEXED = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY)",
    "CREATE TABLE orders (customer_id INT REFERENCES customers)",
)


@pytest.fixture
def url(database_url: URL) -> URL:
    migration_runner.upgrade(database_url)
    return database_url


def test_a_healthy_database_is_said_to_be_so(wdh: Callable[..., Any], url: URL) -> None:
    said = wdh("doctor", url=url)
    assert (said.exit_code, said.err) == (0, "")
    assert said.out.endswith(" is healthy\n")
    assert wdh("doctor", "--quiet", url=url).out == ""
    assert wdh("doctor", "--format", "github", url=url).out == ""
    data = wdh("doctor", "--json", url=url).data
    assert (data["ok"], data["findings"]) == (True, [])
    assert url.password is None or url.password not in said.out + str(data)


def test_an_error_ends_it_with_1_and_is_said_in_every_form(
    wdh: Callable[..., Any], url: URL
) -> None:
    execute(url, *LEFT)
    said = wdh("doctor", url=url)
    assert said.exit_code == 1
    line, _ = said.out.splitlines()
    assert line.startswith("database: error: ")
    assert "`DROP TABLE " in line
    assert line.endswith(" [left-of-batch]")
    (annotation,) = wdh("doctor", "--format", "github", url=url).out.splitlines()
    assert annotation.startswith("::error title=left-of-batch::")
    assert wdh("doctor", "--quiet", url=url).out == "left-of-batch\n"
    (finding,) = wdh("doctor", "--json", url=url).data["findings"]
    assert (finding["code"], finding["severity"]) == ("left-of-batch", "error")
    assert f"{finding['message']}; {finding['hint']}" in line


def test_a_warning_alone_is_no_reason_to_fail(wdh: Callable[..., Any], url: URL) -> None:
    execute(url, *UNINDEXED)
    said = wdh("doctor", url=url)
    assert said.exit_code == 0
    assert said.out.startswith("database: warning: ")


def test_the_commands_of_a_hint_name_the_database_that_was_named(
    wdh: Callable[..., Any], url: URL
) -> None:
    execute(url, "DELETE FROM alembic_version")
    text = url.render_as_string(hide_password=False)
    said = wdh("doctor", "--database-url", text)
    assert said.exit_code == 0  # on a database of one's own it is a warning
    assert "`wdh db stamp --database-url " in said.out


def test_what_can_do_no_harm_is_offered_asked_for_and_done(
    wdh: Callable[..., Any], url: URL
) -> None:
    execute(url, *LEFT)
    offered = wdh("doctor", url=url).out.splitlines()[-1]
    assert offered == "`wdh db doctor --fix` asks, and does 1 of this: what can do no harm"
    (repair,) = wdh("doctor", "--json", url=url).data["repairs"]
    refused = wdh("doctor", "--fix", url=url)
    assert refused.exit_code == 4
    assert f"  {repair['statement']}\n" in refused.err
    assert "hint: add --yes" in refused.err
    assert wdh("doctor", "--quiet", url=url).out == "left-of-batch\n"
    done = wdh("doctor", "--fix", "--yes", url=url)
    assert done.exit_code == 0
    first, last = done.out.splitlines()
    assert first == f"done: {repair['statement']}"
    assert last.endswith(" is healthy")
    line = wdh("journal", "--last", "1", url=url).out
    assert " done   fix left-of-batch (" in line
    assert repair["statement"] in line
    again = wdh("doctor", "--fix", "--yes", "--json", url=url)
    assert (again.data["fixed"], again.data["findings"]) == ([], [])


def test_what_was_not_done_is_said_and_ends_it_with_1(
    wdh: Callable[..., Any], postgresql_url: URL
) -> None:
    migration_runner.upgrade(postgresql_url)
    execute(postgresql_url, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (0)")
    execute(postgresql_url, "CREATE INDEX CONCURRENTLY i ON t ((1 / a))", may_fail=True)
    said = wdh("doctor", "--fix", "--yes", url=postgresql_url)
    assert said.exit_code == 1
    assert said.out.startswith(
        "not done: REINDEX INDEX CONCURRENTLY public.i: division by zero\ndatabase: error: "
    )
    (fixed,) = wdh("doctor", "--fix", "--yes", "--json", url=postgresql_url).data["fixed"]
    assert fixed["fault"] == "division by zero"


def test_staging_wants_its_name(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    migration_runner.upgrade(database_url)
    execute(database_url, *LEFT)
    refused = wdh("doctor", "--fix", "--yes", url=database_url)
    assert refused.exit_code == 4
    name = Path(str(database_url.database)).name
    assert f"--confirm {name}" in refused.err
    assert wdh("doctor", "--fix", "--yes", "--confirm", name, url=database_url).exit_code == 0


def test_there_is_nothing_to_agree_to_without_fix(wdh: Callable[..., Any], url: URL) -> None:
    for arguments in (["--yes"], ["--confirm", "x"]):
        said = wdh("doctor", *arguments, url=url)
        assert said.exit_code == 2
        assert "hint: add --fix" in said.err


def test_every_code_is_in_the_table_of_the_page() -> None:
    rooms = Path(doctor.__file__).parent.glob("doctor_*.py")
    sources = [room.read_text(encoding="utf-8") for room in rooms]
    made = r"(?:\bill|\bworth_knowing|\bRepair|\(ill if .*\))\(\s*\"([a-z-]+)\""
    codes = {code for source in sources for code in re.findall(made, source)}
    assert len(codes) > 10
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## A check-up") : text.index("## Run")]
    told = set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE))
    assert told == codes | {"damaged", "not-looked-at", "invalid-index"}
