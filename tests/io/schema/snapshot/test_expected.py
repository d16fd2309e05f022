"""What the revisions make is built once, in a throw-away database, and is what an upgrade makes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.domain.snapshot.scope import with_views
from work_data_hub.errors import HistoryError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.ephemeral import postgres_binaries
from work_data_hub.io.schema.snapshot import expected
from work_data_hub.io.schema.snapshot.expected import Expected, Wanted
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
        assert Expected(wanted).schema() == live(database_url)


@pytest.mark.parametrize("is_within_a_run", [False, True])
def test_what_a_lost_power_left_of_it_is_built_again(
    ini: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, *, is_within_a_run: bool
) -> None:
    wanted = Wanted(ini, "sqlite", ("20260101_0000",))
    whole = Expected(wanted).schema()
    (kept,) = own_cache.glob("schema-*/schema.json")
    kept.write_text(kept.read_text(encoding="utf-8")[:50], encoding="utf-8")
    monkeypatch.setattr(expected, "_build_elsewhere", lambda *_: Expected(wanted).schema())
    assert Expected(wanted, is_within_a_run=is_within_a_run).schema() == whole


def test_of_no_revision_it_is_empty(ini: Path) -> None:
    assert len(Expected(Wanted(ini, "sqlite", ())).schema()) == 0


def test_it_is_built_once_for_each_content(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, ...]] = []
    build = expected._built  # what is counted

    def counted(wanted: Wanted, *asked: Any) -> dict[str, Any]:
        built.append(wanted.revisions)
        return build(wanted, *asked)

    monkeypatch.setattr(expected, "_built", counted)
    first, second = (Wanted(ini, "sqlite", (f"20260101_000{number}",)) for number in (0, 1))
    assert names(Expected(first).schema()) == names(Expected(first).schema()) == {"orders"}
    assert names(Expected(second).schema()) == {"orders", "more"}
    assert len(built) == 2

    revision = next(ini.parent.rglob("20260101_0001_*.py"))
    revision.write_text(revision.read_text(encoding="utf-8").replace("more", "less"), "utf-8")
    assert names(Expected(second).schema()) == {"orders", "less"}
    assert len(built) == 3


def test_another_default_schema_has_what_has_no_schema(ini: Path, postgresql_url: URL) -> None:
    wanted = Wanted(ini, "postgresql", ("20260101_0000",), "Own", postgresql_url)
    found = Expected(wanted).schema()
    assert {item.name for item in found if item.kind == "table"} == {'"Own".orders'}


def test_neither_the_database_of_the_session_nor_its_class_is_that_of_what_is_thrown_away(
    ini: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "prod")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    wanted = Wanted(ini, "postgresql", ("20260101_0000",), server=postgresql_url)
    assert names(Expected(wanted).schema()) == {"orders"}


def test_a_revision_that_fails_there_is_named_and_nothing_is_kept(
    make_history: Callable[..., Path], revision_body: Any, own_cache: Path
) -> None:
    failing = make_history([revision_body("raise ValueError('needs rows')\n")]) / "alembic.ini"
    with pytest.raises(MigrationFailedError, match=r"throw-away database.*needs rows") as failed:
        Expected(Wanted(failing, "sqlite", ("20260101_0000",))).schema()
    assert failed.value.failed == "20260101_0000"
    assert failed.value.hint
    assert not [*own_cache.glob("schema-*")]


def test_each_kind_can_be_built_within_a_run(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another process has the cache of the user: what is there must be of this test alone.
    monkeypatch.setattr(expected, "cache_folder", postgres_binaries.cache_folder)
    revision = next(ini.parent.rglob("20260101_0001_*.py"))
    text = revision.read_text(encoding="utf-8").replace("more", f"more_{secrets.token_hex(4)}")
    revision.write_text(text, encoding="utf-8")
    within = Expected(Wanted(ini, "sqlite", ("20260101_0001",)), is_within_a_run=True)
    assert len(names(within.schema())) == 2
    assert within.of_each_revision().keys() == {"20260101_0000", "20260101_0001"}


def test_a_revision_that_is_not_there_is_a_fault_of_the_history(ini: Path) -> None:
    with pytest.raises(HistoryError):
        Expected(Wanted(ini, "sqlite", ("20990101_0000",))).schema()


def test_both_sides_are_as_one_server_writes_them(
    ini: Path, postgresql_url: URL, make_postgresql_url: Callable[[], URL]
) -> None:
    revision = next(ini.parent.rglob("20260101_0000_*.py"))
    view = "op.execute('CREATE VIEW seen AS SELECT id FROM orders WHERE id > 1')"
    text = revision.read_text(encoding="utf-8").replace(
        "\n\n\ndef down", f"\n    {view}\n\n\ndef down"
    )
    revision.write_text(text, encoding="utf-8")
    migration_runner.upgrade(postgresql_url, alembic_ini=ini)
    wanted = Wanted(ini, "postgresql", ("20260101_0001",), server=make_postgresql_url())
    # As another major may write it.
    spelt = {"public.seen": "SELECT orders.id FROM public.orders WHERE (orders.id > 1)"}
    other = with_views(live(postgresql_url), spelt)
    for is_within_a_run in (False, True):
        built, same = Expected(wanted, is_within_a_run=is_within_a_run).beside(other)
        assert same == built == live(postgresql_url)

    another = with_views(live(postgresql_url), {"public.seen": "SELECT id FROM public.orders"})
    built, changed = Expected(wanted).beside(another)
    assert changed != built
    broken = with_views(live(postgresql_url), {"public.seen": "SELECT id FROM public.gone"})
    assert Expected(wanted).beside(broken)[1] == broken
