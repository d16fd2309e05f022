"""The rows of a journal, played on the graph, say where the database is."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from work_data_hub.domain.record.journal_state import moves, newest, state_of

#   a - b - c      d - e      c and e are joined by m; e depends on b
NEEDS = {"a": [], "b": ["a"], "c": ["b"], "d": [], "e": ["d", "b"], "m": ["c", "e"]}


class Row(NamedTuple):
    revision: str
    direction: str
    outcome: str = "done"
    checksum: str | None = None
    digest: str | None = None
    detail: str | None = None


def rows(text: str) -> list[Row]:
    """Read `a+ a- a=`: applied, taken back, stamped; `!` failed, `base!=` purged."""
    names = {"+": "upgrade", "-": "downgrade", "=": "stamp", "*": "adopt", "?": "accept"}
    found = []
    for word in text.split():
        revision = word[:-1].rstrip("!").replace(",", ", ")
        is_purge = "!" in word and revision == "base"
        outcome = "failed" if "!" in word and not is_purge else "done"
        detail = "purged" if is_purge else None
        found.append(Row(revision, names[word[-1]], outcome, detail=detail))
    return found


@pytest.mark.parametrize(
    ("journal", "state"),
    [
        ("", ""),
        ("a+ b+ c!+", "b"),
        ("a* b* b?", "b"),
        ("a+ b+ b-", "a"),
        ("c=", "c"),
        ("c= b=", "b"),
        ("c= b= c+", "c"),
        ("a+ b+ base=", ""),
        ("a+ b+ d+ e+ b=", "b"),
        ("a+ b+ c+ d+ e+ b=", "b"),
        ("a+ b+ c+ d+ d=", "c d"),
        ("a+ d+ base= a+", None),
        ("a+ d+ base= base!= a+", "a"),
        ("m= c,e=", "c e"),
        ("m=", "m"),
        ("gone+ a+", "a gone"),
    ],
)
def test_where_it_is_by_what_was_run(journal: str, state: str | None) -> None:
    found = state_of(moves(rows(journal)), NEEDS)
    assert (found if found is None else " ".join(newest(found, NEEDS))) == state
