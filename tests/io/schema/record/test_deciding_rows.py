"""What is read of the journal grows with the revisions, and says all that the whole would."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.config.database_address import parse_address
from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.first_look.record_postgresql import read_postgresql
from work_data_hub.io.schema.first_look.record_sqlite import read_sqlite
from work_data_hub.io.schema.record.journal import Journal, SourceMark

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

REVISIONS = tuple(f"r{n}" for n in range(6))
DIRECTIONS: tuple[Any, ...] = ("upgrade", "downgrade", "adopt", "accept", "record", "stamp")


def write_anything(journal: Journal, draw: random.Random) -> None:
    journal.add(
        draw.choice(REVISIONS),
        draw.choices(DIRECTIONS, weights=(8, 6, 2, 3, 1, 1))[0],
        outcome=draw.choices(("done", "failed"), weights=(4, 1))[0],
        source=draw.choice((None, SourceMark(f"c{draw.random()}", f"d{draw.random()}"))),
    )


def applied(rows: Any) -> Any:
    """Each applied revision with the checksum that counts, by all and since the last stamp."""
    return [
        {revision: row.checksum for revision, row in applied_rows(rows, since_last_stamp=s).items()}
        for s in (False, True)
    ]


def test_the_rows_that_decide_say_all_that_the_journal_does(database_url: URL) -> None:
    draw = random.Random("the rows that decide")
    migration_runner.upgrade(database_url, "base")
    with connect(database_url) as connection:
        tables = {f"h{n}": Journal(connection, None, f"h{n}", None) for n in range(2)}
        with connection.begin():
            seen = 0
            for _ in range(150):
                for journal in tables.values():
                    write_anything(journal, draw)
                    seen += journal.deciding() != (whole := journal.entries())
                    assert applied(journal.deciding()) == applied(whole)
    assert seen > 100, "nearly every journal of these was longer than what decides"


def test_many_runs_do_not_make_a_look_longer(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    with connect(database_url) as connection, connection.begin():
        journal = Journal(connection, None, "alembic_version", None)
        revisions = {entry.revision for entry in journal.entries()}
        for _ in range(40):
            for revision in revisions:
                journal.add(revision, "downgrade")
                journal.add(revision, "upgrade")
        assert len(journal.entries()) > 80
        assert len(journal.deciding()) <= 2 * len(revisions)
    text = database_url.render_as_string(hide_password=False)
    read = read_sqlite if database_url.get_backend_name() == "sqlite" else read_postgresql
    quick = read(parse_address(text, source="the test"))
    assert quick is not None
    assert len(quick.journal) <= 2 * len(revisions)
    assert {row.revision for row in quick.journal} == revisions


def test_the_newest_rows_are_the_last_and_in_utc(database_url: URL) -> None:
    if database_url.get_backend_name() == "postgresql":
        with connect(database_url) as connection, connection.begin():
            connection.execute(
                sa.text(f"ALTER DATABASE \"{database_url.database}\" SET timezone = 'Asia/Kabul'")
            )
    for verb in (migration_runner.upgrade, migration_runner.downgrade, migration_runner.upgrade):
        verb(database_url)
    whole = migration_runner.journal(database_url)
    assert migration_runner.journal(database_url, last=2) == whole[-2:]
    assert migration_runner.journal(database_url, last=9) == whole
    offsets = {str(entry.started_at.utcoffset()) for entry in whole}
    assert offsets == {"0:00:00"}
