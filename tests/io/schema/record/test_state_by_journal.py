"""Where the rows of a journal say that a database is, is where Alembic says that it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from alembic.util import CommandError
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.record.journal_state import state_of, with_needs
from work_data_hub.io.schema.run.executor import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class Empty(Revision):
    """A revision that does nothing."""

    module = SimpleNamespace(upgrade=None, downgrade=None)
    doc = ""


#   a - b - c      d - e      c and e are joined by m; e depends on b
REVISIONS = (
    Empty("a", None),
    Empty("b", "a"),
    Empty("c", "b"),
    Empty("d", None, branch_labels="beside"),
    Empty("e", "d", dependencies="b"),
    Empty("m", ("c", "e")),
)
TARGETS = (*"abcdem", "base", "heads", "beside@base")


class Row(NamedTuple):
    revision: str
    direction: str
    outcome: str = "done"
    checksum: str | None = None
    digest: str | None = None
    detail: str | None = None


class Heads(HeadMaintainer):
    """The heads of a database that is not there."""

    def __init__(self) -> None:
        self.heads = set()

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


def deciding(journal: Iterable[Row]) -> list[Row]:
    """Return the newest of each revision and direction, in their order."""
    newest = {(row.revision, row.direction): (n, row) for n, row in enumerate(journal)}
    return [row for _, row in sorted(newest.values())]


@settings(max_examples=50 * settings().max_examples)
@given(st.lists(st.tuples(st.sampled_from("usd"), st.sampled_from(TARGETS)), max_size=8))
@pytest.mark.filterwarnings("ignore:downgrade -1")
def test_whatever_was_run_and_stamped(moves: list[tuple[str, str]]) -> None:
    scripts: Any = ScriptDirectory.__new__(ScriptDirectory)
    scripts.revision_map = RevisionMap(lambda: REVISIONS)
    assert scripts.revision_map.heads == ("m",)  # read, so that each knows what it depends on
    needs = {each.revision: [*each._all_down_revisions] for each in REVISIONS}
    plans = {"u": scripts._upgrade_revs, "s": scripts._stamp_revs, "d": scripts._downgrade_revs}
    database, journal = Heads(), list[Row]()
    for kind, target in moves:
        try:
            steps = plans[kind](target, tuple(database.heads))
        except CommandError:
            continue
        for step in steps:
            database.update_to_step(step)
        journal += [Row(step.revision, step.direction) for step in plan_of((), steps).steps]
        state = state_of(deciding(journal), needs)
        if state is not None:
            assert with_needs(state, needs) == with_needs(database.heads, needs)
