"""What the revisions make is built once, in a throw-away database, and is what an upgrade makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.errors import HistoryError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot import expected
from work_data_hub.io.schema.snapshot.expected import Wanted, expected_schema
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.domain.snapshot.schema import Snapshot

ORDERS = "op.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL)')\n"
MORE = "op.execute('CREATE TABLE more (id INTEGER PRIMARY KEY)')\n"


@pytest.fixture
def server(request: pytest.FixtureRequest, database_url: URL) -> URL | None:
    """The server of the suite, for the engine that needs one."""
    return database_url if database_url.get_backend_name() == "postgresql" else None


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(expected, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def ini(make_history: Any, revision_body: Any) -> Path:
    """A project of two revisions."""
    project: Path = make_history([revision_body(ORDERS), revision_body(MORE)])
    return project / "alembic.ini"


def names(schema: Snapshot) -> set[str]:
    return {item.own_name.removeprefix("public.") for item in schema if item.kind == "table"}


def live(url: URL) -> Snapshot:
    with connect(url, read_only=True) as connection:
        return read_schema(connection)


def test_it_is_what_an_upgrade_makes(ini: Path, database_url: URL, server: URL | None) -> None:
    engine = database_url.get_backend_name()
    for revision in ("20260101_0000", "20260101_0001"):
        migration_runner.upgrade(database_url, revision, alembic_ini=ini)
        wanted = Wanted(ini, engine, (revision,), server=server)
        assert expected_schema(wanted) == live(database_url)


def test_of_no_revision_it_is_empty(ini: Path) -> None:
    assert len(expected_schema(Wanted(ini, "sqlite", ()))) == 0


def test_it_is_built_once_for_each_content(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, ...]] = []
    build = expected._built  # what is counted

    def counted(wanted: Wanted) -> Snapshot:
        built.append(wanted.revisions)
        return build(wanted)

    monkeypatch.setattr(expected, "_built", counted)
    first, second = (Wanted(ini, "sqlite", (f"20260101_000{number}",)) for number in (0, 1))
    assert names(expected_schema(first)) == names(expected_schema(first)) == {"orders"}
    assert names(expected_schema(second)) == {"orders", "more"}
    assert len(built) == 2

    revision = next(ini.parent.rglob("20260101_0001_*.py"))
    revision.write_text(revision.read_text(encoding="utf-8").replace("more", "less"), "utf-8")
    assert names(expected_schema(second)) == {"orders", "less"}
    assert len(built) == 3


def test_another_default_schema_has_what_has_no_schema(ini: Path, postgresql_url: URL) -> None:
    wanted = Wanted(ini, "postgresql", ("20260101_0000",), "Own", postgresql_url)
    found = expected_schema(wanted)
    assert {item.name for item in found if item.kind == "table"} == {'"Own".orders'}


def test_neither_the_database_of_the_session_nor_its_class_is_that_of_what_is_thrown_away(
    ini: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "prod")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    wanted = Wanted(ini, "postgresql", ("20260101_0000",), server=postgresql_url)
    assert names(expected_schema(wanted)) == {"orders"}


def test_a_revision_that_fails_there_is_named_and_nothing_is_kept(
    make_history: Callable[..., Path], revision_body: Any, own_cache: Path
) -> None:
    failing = make_history([revision_body("raise ValueError('needs rows')\n")]) / "alembic.ini"
    with pytest.raises(MigrationFailedError, match=r"throw-away database.*needs rows") as failed:
        expected_schema(Wanted(failing, "sqlite", ("20260101_0000",)))
    assert failed.value.failed == "20260101_0000"
    assert failed.value.hint
    assert not [*own_cache.glob("schema-*")]


def test_a_revision_that_is_not_there_is_a_fault_of_the_history(ini: Path) -> None:
    with pytest.raises(HistoryError):
        expected_schema(Wanted(ini, "sqlite", ("20990101_0000",)))
