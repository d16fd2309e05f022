"""A checksum stops nobody whose revision still means what it did, and whoever changed one."""

from __future__ import annotations

import py_compile
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.domain.revisions.checksum import checksum
from work_data_hub.errors import HistoryError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.first_look.verdict import look
from work_data_hub.io.schema.record import framework_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

REVISION = "20260101_0000"
JOINED = " + ".join(['"ALTER TABLE t"', *['" "'] * 2_000, '"ADD COLUMN {0} int"'])
# How a file is written, byte for byte.
WRITTEN: dict[str, Callable[[str], bytes]] = {
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "latin-1": lambda text: f"# coding: latin-1\n{text}# \xe9\n".encode("latin-1"),
    "hundreds of texts joined": lambda text: text.replace("'ADD'", JOINED.format("a")).encode(),
    "a large number": lambda text: f"{text}\nlarge = 0x{'f' * 4300}\n".encode(),
    "half a letter": lambda text: f"{text}\nhalf = '\\ud800'\n".encode(),
}


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history(
        [revision_body("op.create_table('t', sa.Column('id', sa.Integer))\nprint('ADD')")]
    )


@pytest.fixture
def file(project: Path) -> Path:
    (path,) = (project / "io/schema/migrations/versions").glob("*.py")
    return path


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def adopted_anew(url: URL) -> None:
    """Leave the database as plain Alembic would have."""
    execute(url, *(f"DROP TABLE {table}" for table in framework_tables.NAMES))


def upgrade(project: Path, url: URL, **options: Any) -> list[str]:
    ini = project / "alembic.ini"
    steps = migration_runner.upgrade(url, alembic_ini=ini, **options).steps
    return [step.revision for step in steps]


@pytest.mark.parametrize("is_adopted", [False, True], ids=["run", "adopted"])
@pytest.mark.parametrize("written", WRITTEN)
def test_an_edit_is_found_however_a_file_is_written(
    written: str, is_adopted: bool, project: Path, file: Path, database_url: URL
) -> None:
    file.write_bytes(WRITTEN[written](file.read_text(encoding="utf-8")))
    assert upgrade(project, database_url) == [REVISION]
    if is_adopted:
        adopted_anew(database_url)
        assert upgrade(project, database_url) == []
    (entry,) = migration_runner.journal(database_url)
    assert None not in (entry.checksum, entry.digest)

    file.write_bytes(file.read_bytes() + b"# a comment\n")
    text = database_url.render_as_string(hide_password=False)
    assert look(project / "alembic.ini", text) is not None
    assert upgrade(project, database_url) == []

    file.write_bytes(file.read_bytes().replace(b"sa.Integer", b"sa.BigInteger"))
    assert look(project / "alembic.ini", text) is None
    with pytest.raises(HistoryError, match="edited after it was applied"):
        upgrade(project, database_url)


def test_what_cannot_be_parsed_is_known_by_its_text(
    project: Path, file: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_deep(source: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr("work_data_hub.domain.revisions.checksum.parse", too_deep)
    upgrade(project, database_url)
    adopted_anew(database_url)
    assert upgrade(project, database_url) == []
    (entry,) = migration_runner.journal(database_url)
    assert entry.checksum is None
    assert entry.digest is not None

    file.write_bytes(file.read_bytes() + b"# a comment\n")
    with pytest.raises(HistoryError, match=f"the journal says sha256:{entry.digest}"):
        upgrade(project, database_url)
    assert upgrade(project, database_url, accept=[REVISION]) == []
    assert upgrade(project, database_url) == []


def test_what_was_recorded_under_the_first_scheme_is_compared_under_it(
    project: Path, file: Path, database_url: URL
) -> None:
    before = file.read_bytes()
    upgrade(project, database_url)
    recorded = checksum(before, "1")
    execute(database_url, f"UPDATE work_data_hub_journal SET checksum = '{recorded}'")
    assert upgrade(project, database_url) == []
    file.write_bytes(before + b"# a comment\n")
    assert upgrade(project, database_url) == []
    file.write_bytes(before.replace(b"sa.Integer", b"sa.BigInteger"))
    with pytest.raises(HistoryError, match=f"the checksum 1:.*, the journal says {recorded}"):
        upgrade(project, database_url)


def test_a_file_that_the_first_scheme_could_not_read_is_not_said_to_be_edited(
    project: Path, file: Path, database_url: URL
) -> None:
    upgrade(project, database_url)
    execute(database_url, "UPDATE work_data_hub_journal SET checksum = NULL, digest = NULL")
    file.write_bytes(file.read_bytes() + b"# a comment\n")
    assert upgrade(project, database_url) == []


def test_bytecode_is_written_anew_by_every_build(
    project: Path, file: Path, database_url: URL
) -> None:
    ini = project / "alembic.ini"
    options = ini.read_text(encoding="utf-8").replace("[alembic]", "[alembic]\nsourceless = true")
    ini.write_text(options, encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    for build, steps in (("first", [REVISION]), ("second", [])):
        file.write_text(f"{text}# the {build} build\n", encoding="utf-8")
        py_compile.compile(str(file), cfile=str(file.with_suffix(".pyc")), doraise=True)
        file.unlink()
        assert upgrade(project, database_url) == steps
