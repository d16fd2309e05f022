"""Whatever is run, and wherever it is killed: the database is at a whole revision."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import given, note
from hypothesis import strategies as st

from work_data_hub.errors import HistoryError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

REVISIONS = 4
MOMENTS = ("start", "middle", "end", "never")
KILL = (
    "import os; os.environ.get('KILLED_AT') == '{direction} {number} {moment}'"
    " and os.kill(os.getpid(), 9)"
)
UP = (
    "op.execute('CREATE TABLE t{number} (id int, word varchar(99))')",
    "op.execute(\"INSERT INTO t{number} VALUES (1, 'of {number}')\")",
    "op.execute(\"UPDATE t{before} SET word = word || ', {number}'\")",
    "op.execute('CREATE INDEX i{number} ON t{before} (word)')",
)
DOWN = (
    "op.execute('DROP INDEX i{number}')",
    "op.execute(\"UPDATE t{before} SET word = replace(word, ', {number}', '')\")",
    "op.execute('DROP TABLE t{number}')",
)


def code(direction: str, statements: tuple[str, ...], number: int) -> str:
    middle = len(statements) // 2
    lines = [KILL.replace("{moment}", "start"), *statements[:middle]]
    lines += [KILL.replace("{moment}", "middle"), *statements[middle:]]
    lines += [KILL.replace("{moment}", "end")]
    before = max(number - 1, 0)
    return "\n".join(
        line.format(direction=direction, number=number, before=before) for line in lines
    )


def content(url: URL) -> Any:
    """The rows of every table of the history, and its indexes; read without the package."""
    is_sqlite = url.get_backend_name() == "sqlite"
    listed = (
        "SELECT name FROM sqlite_master WHERE name LIKE 't_' OR name LIKE 'i_' ORDER BY name"
        if is_sqlite
        else "SELECT relname FROM pg_class WHERE relname ~ '^[ti][0-9]$' ORDER BY relname"
    )
    with connect(url) as connection:
        names = [str(name) for (name,) in connection.exec_driver_sql(listed)]
        return names, {
            name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
            for name in names
            if name.startswith("t")
        }


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [("upgrade", "head"), ("upgrade", "+1"), ("downgrade", "-1"), ("downgrade", "base")]
        ),
        st.integers(0, REVISIONS - 1),
        st.sampled_from(MOMENTS),
    ),
    min_size=3,
    max_size=8,
)


def do(run_alembic: Any, project: Any, url: URL, verb: str, target: str) -> None:
    with suppress(HistoryError):  # from base there is no step back, and none on from the head
        run_alembic(project, url, verb, target)


@given(actions=ACTIONS)
def test_a_killed_run_leaves_whole_revisions_and_the_next_goes_on(
    make_url: Callable[[], URL],
    in_a_child: Any,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    actions: list[tuple[tuple[str, str], int, str]],
) -> None:
    project = make_history(
        [revision_body(code("up", UP, n), code("down", DOWN, n)) for n in range(REVISIONS)]
    )
    clean = make_url()
    run_alembic(project, clean, "upgrade", "+1")
    states = {migration_runner.current(clean): content(clean)}
    for _ in range(REVISIONS - 1):
        run_alembic(project, clean, "upgrade", "+1")
        states[migration_runner.current(clean)] = content(clean)
    states[()] = ([], {})
    assert len(states) == REVISIONS + 1
    url = make_url()
    for (verb, target), number, moment in actions:
        direction = "up" if verb == "upgrade" else "down"
        before = migration_runner.current(url)
        ended = in_a_child(
            partial(do, run_alembic, project, url, verb, target), f"{direction} {number} {moment}"
        )
        at = migration_runner.current(url)
        note(f"{verb} {target} from {before}, {moment} of {number}: {ended}, at {at}")
        assert ended in {0, -9}
        assert content(url) == states[at]
        if ended == -9:
            step = number - 1 if direction == "up" else number
            assert at == ((f"20260101_{step:04}",) if step >= 0 else ())
    run_alembic(project, url, "upgrade", "head")
    assert content(url) == states[migration_runner.current(clean)]
