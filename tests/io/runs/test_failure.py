"""What is kept of an error: what it says and where, without secrets, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.io.runs import record_run
from work_data_hub.io.runs.failure import LONGEST_DETAILS, details_of

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return an error that was raised."""
    with pytest.raises(type(error)) as found:
        raise error from cause
    return found.value


def test_it_says_what_where_and_what_it_came_from() -> None:
    cause = raised(OSError("the disk is full"))
    lines = details_of(raised(ValueError("not loaded"), cause)).splitlines()
    assert lines[0] == "ValueError: not loaded"
    assert lines[1].startswith("  at test_failure.py:")
    assert lines[2] == "from OSError: the disk is full"


def test_the_parts_of_a_group_are_said() -> None:
    group = ExceptionGroup("two tasks failed", [ValueError("one"), OSError("other")])
    lines = details_of(group).splitlines()
    assert "with ValueError: one" in lines
    assert "with OSError: other" in lines


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:hunter2@host/db refused",
        "password=hunter2",
        "api_key: 'x', token = 'hunter2'",
        "password=hunter2" + "x" * 2000,
        "x" * 990 + " password=hunter2",
    ],
)
def test_secrets_are_hidden_also_where_the_text_is_cut(text: str) -> None:
    assert "hunter2" not in details_of(raised(RuntimeError(text)))
    assert "hunter" not in details_of(RuntimeError("x", RuntimeError(text)))


def test_the_password_of_the_database_is_hidden_wherever_it_stands(
    migrated_database: URL, rows: Any
) -> None:
    password = migrated_database.password or "-"

    def load() -> None:
        with record_run("orders", url=migrated_database):
            raise RuntimeError(f"I tried {password} and it was wrong")

    with pytest.raises(RuntimeError):
        load()
    assert (password in rows.run["error_details"]) is (password == "-")


def test_a_statement_that_failed_is_kept_without_its_values() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError) as found:
        connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": "Astrid"})
    details = details_of(found.value)
    assert "no such table: nowhere" in details
    assert "Astrid" not in details


def test_it_has_an_end() -> None:
    deep: BaseException = ValueError("x" * 10_000)
    for _ in range(50):
        deep = raised(ValueError("y" * 10_000), deep)
    wide = ExceptionGroup("wide", [ExceptionGroup("w", [ValueError("z" * 900)] * 20)] * 20)
    for error in (deep, wide):
        assert len(details_of(error)) <= LONGEST_DETAILS


def test_an_error_that_cannot_be_read_is_kept_by_its_name() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert details_of(MuteError()).startswith("MuteError: (what it says cannot be read)")
