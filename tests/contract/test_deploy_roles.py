"""The roles of the page on deploys can do what they are for, and no more, by exactly its SQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.own_history import HEAD

from work_data_hub.cli.command import main
from work_data_hub.io.runs import record_run
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

PAGE = Path(__file__).parents[2] / "docs" / "deploys.md"
BLOCK = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROLES = ("migrator", "application", "reader")


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def page(postgresql_url: URL) -> Iterator[tuple[str, str]]:
    """The SQL of the page, of roles that are this test's own."""
    text = PAGE.read_text(encoding="utf-8").replace("hub_", f"{postgresql_url.database}_")
    text = text.replace(f"work_data_{postgresql_url.database}_", "work_data_hub_")
    rights, revoked = BLOCK.findall(text)
    yield rights, revoked
    for role in ROLES:
        name = f"{postgresql_url.database}_{role}"
        execute(postgresql_url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def user(postgresql_url: URL) -> Callable[[str], URL]:
    return lambda role: postgresql_url.set(
        username=f"{postgresql_url.database}_{role}", password="change me", query={}
    )


def test_each_role_of_the_page_can_do_what_it_is_for_and_no_more(
    page: tuple[str, str], user: Callable[[str], URL], postgresql_url: URL
) -> None:
    rights, revoked = page
    migrator, application, reader = map(user, ROLES)
    execute(postgresql_url, rights)
    assert migration_runner.upgrade(migrator).after == (HEAD,)
    execute(migrator, revoked)
    for url in (application, reader):
        assert not migration_runner.status(url).pending
        assert migration_runner.upgrade(url).steps == ()
        text = url.render_as_string(hide_password=False)
        assert main(["db", "wait", "--timeout", "1", "--database-url", text]) == 0
    with record_run("orders", url=application) as run:
        run.rows("load", 3)
    for url, table in (
        (reader, "pipeline_executions"),
        (reader, "work_data_hub_journal"),
        (application, "work_data_hub_journal"),
        (application, "alembic_version"),
    ):
        with connect(url) as connection:
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            execute(url, f"DELETE FROM {table}")
    downgraded = migration_runner.downgrade(migrator, "base")
    assert downgraded.after == ()
