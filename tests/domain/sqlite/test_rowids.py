"""Who looks for the rows of a table by their numbers: no more, and no fewer."""

from __future__ import annotations

import pytest

from work_data_hub.domain.sqlite.census import Dependent
from work_data_hub.domain.sqlite.rowids import found_by_rowid

OF_DOCS = Dependent("view", "named", "named", "CREATE VIEW named AS SELECT * FROM docs")
OF_THAT = Dependent("view", "again", "again", "CREATE VIEW again AS SELECT * FROM named")
OTHER = Dependent("view", "other", "other", "CREATE VIEW other AS SELECT * FROM notes")
INSERTING = "CREATE TRIGGER tr AFTER INSERT ON {} BEGIN INSERT INTO x VALUES (new.rowid); END"


def search(content: str) -> Dependent:
    sql = f"CREATE VIRTUAL TABLE search USING fts5(body, content='{content}')"
    return Dependent("virtual table", "search", "search", sql)


@pytest.mark.parametrize(
    ("dependents", "found"),
    [
        ([search("docs")], [("virtual table", "search")]),
        ([search("DOCS")], [("virtual table", "search")]),
        ([search("notes")], []),
        ([OF_DOCS, search("named")], [("virtual table", "search")]),
        ([OF_DOCS, OF_THAT, search("again")], [("virtual table", "search")]),
        ([OTHER, search("other")], []),
        ([Dependent("trigger", "tr", "docs", INSERTING.format("docs"))], [("trigger", "tr")]),
        ([Dependent("trigger", "tr", "Docs", INSERTING.format("Docs"))], [("trigger", "tr")]),
        ([Dependent("trigger", "tr", "notes", INSERTING.format("notes"))], []),
        # A table of that name is no trigger of it.
        ([Dependent("view", "docs", "docs", "CREATE VIEW docs AS SELECT rowid FROM x")], []),
    ],
)
def test_what_looks_for_rows_by_their_numbers(
    dependents: list[Dependent], found: list[tuple[str, str]]
) -> None:
    assert list(found_by_rowid(dependents, "docs")) == found
