"""Two histories in one database: a pipeline's own tables beside the application's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from work_data_hub.errors import HistoryError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, Permissions, Request
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL
    from tests.warm_python import Program

Two = tuple["Path", "Path"]


def tables(url: URL) -> set[str]:
    with connect(url) as connection:
        return set(sa.inspect(connection).get_table_names())


@pytest.fixture
def both(make_history: Callable[..., Path], revision_body: Any, tmp_path: Path) -> Two:
    """Two projects; the second keeps its history in a table of its own."""

    def history(name: str) -> Path:
        bodies = [
            revision_body(
                f"op.create_table('{name}_{n}', sa.Column('x', sa.Integer))",
                f"op.drop_table('{name}_{n}')",
            )
            for n in range(2)
        ]
        return make_history(bodies)

    other = history("theirs")
    env = other / "io/schema/migrations/env.py"
    env.write_text(env.read_text().replace("run(context)", "run(context, version_table='theirs')"))
    kept = tmp_path / "other"
    shutil.copytree(other, kept)
    shutil.rmtree(other)
    return history("ours"), kept


def run(project: Path, url: URL, verb: str = "upgrade", to: str = "head") -> None:
    request = Request(database_url=url, permissions=Permissions())
    getattr(command, verb)(Config(str(project / "alembic.ini"), attributes={REQUEST: request}), to)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_second_history_starts_beside_the_first(
    database_url: URL, both: Two, order: tuple[int, int]
) -> None:
    for number in order:
        run(both[number], database_url)
    assert {"ours_0", "ours_1", "theirs_0", "theirs_1"} <= tables(database_url)
    for project in both:
        found = migration_runner.status(database_url, alembic_ini=project / "alembic.ini")
        assert found.is_clear
        journal = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")
        assert [entry.direction for entry in journal] == ["upgrade", "upgrade"]
    run(both[1], database_url, "downgrade", "base")
    assert "ours_1" in tables(database_url)
    assert not {"theirs_0", "theirs_1"} & tables(database_url)
    run(both[1], database_url)


def test_a_history_starts_where_only_its_version_table_was_made(
    database_url: URL, both: Two
) -> None:
    migration_runner.record_environment("dev", database_url, alembic_ini=both[0] / "alembic.ini")
    run(both[0], database_url)
    assert "ours_1" in tables(database_url)


def test_a_first_run_that_fails_can_be_followed_by_another(
    database_url: URL, both: Two, make_history: Any, revision_body: Any
) -> None:
    run(both[1], database_url)
    good = both[0] / "io/schema/migrations/versions/20260101_0000_step_0.py"
    text = good.read_text()
    good.write_text(
        text.replace("op.create_table", "op.execute('SELECT * FROM missing')\n    op.create_table")
    )
    with pytest.raises(MigrationFailedError, match="missing"):
        run(both[0], database_url)
    good.write_text(text)
    run(both[0], database_url)


def test_one_version_table_for_both_is_said_in_words(database_url: URL, both: Two) -> None:
    run(both[0], database_url)
    env = both[1] / "io/schema/migrations/env.py"
    env.write_text(env.read_text().replace(", version_table='theirs'", ""))
    versions = both[1] / "io/schema/migrations/versions"
    for number, file in enumerate(sorted(versions.glob("*.py"))):
        text = file.read_text().replace("20260101", "20270101")
        file.unlink()
        (versions / f"20270101_000{number}_x.py").write_text(text)
    with pytest.raises(HistoryError, match="which this code does not know") as refused:
        run(both[1], database_url)
    assert "version_table" in refused.value.hint


MEETING = """
import pathlib, time
(pathlib.Path({place!r}) / {name!r}).touch()
deadline = time.monotonic() + 30
while len(list(pathlib.Path({place!r}).iterdir())) < 2 and time.monotonic() < deadline:
    time.sleep(0.001)
"""


def test_two_histories_that_race_for_a_fresh_database_both_start(
    make_url: Callable[[], URL],
    both: Two,
    start_alembic: Callable[..., Program],
    tmp_path: Path,
) -> None:
    guarded = [(each / "io/schema/migrations/env.py") for each in both]
    texts = [each.read_text() for each in guarded]
    for number in range(3):
        url, place = make_url(), tmp_path / f"meeting {number}"
        place.mkdir()
        for name, env, text in zip(("ours", "theirs"), guarded, texts, strict=True):
            env.write_text(MEETING.format(place=str(place), name=name) + text)
        racers = [start_alembic(project, url) for project in both]
        ends = [(racer.communicate(timeout=60)[1], racer.returncode) for racer in racers]
        assert [code for _, code in ends] == [0, 0], ends
        assert len(list(place.iterdir())) == 2
        assert {"ours_1", "theirs_1"} <= tables(url)
