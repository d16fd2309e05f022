"""The numbers of rows, which no column holds, stay where others look for rows by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration

TEXTS = [("u1", "alpha"), ("u3", "gamma"), ("u4", "delta")]
DOCS = (
    "CREATE TABLE docs ({columns}) {options}\n\n"
    "INSERT INTO docs (id, body) VALUES ('u1', 'alpha'), ('u2', 'beta'), ('u3', 'gamma'),"
    " ('u4', 'delta')\n\nDELETE FROM docs WHERE id = 'u2'"
)
SEARCH = (
    "CREATE VIRTUAL TABLE search USING fts5(body, content='docs')\n\n"
    "INSERT INTO search (search) VALUES ('rebuild')"
)
BY_HAND = (
    "CREATE TABLE new_docs (id TEXT PRIMARY KEY, body)\n\n"
    "INSERT INTO new_docs ({written}) SELECT {read} FROM docs {order}\n\n"
    "DROP TABLE docs\n\nALTER TABLE new_docs RENAME TO docs"
)


def by_hand(written: str = "id, body", read: str = "", order: str = "") -> str:
    return BY_HAND.format(written=written, read=read or written, order=order)


def found(project: Project, word: str = "gamma") -> list[tuple[str]]:
    return project.sql("SELECT body FROM search WHERE search MATCH ?", word)


@pytest.fixture
def documents(project: Project) -> Project:
    project.existing(DOCS.format(columns="id TEXT PRIMARY KEY, body", options="") + "\n\n" + SEARCH)
    assert found(project) == [("gamma",)]
    return project


def test_a_batch_keeps_the_numbers_that_an_index_for_search_looks_by(documents: Project) -> None:
    rows = documents.sql("SELECT rowid, * FROM docs")
    documents.batch("alter_column('body', type_=sa.Text())", table="docs")
    assert documents.sql("SELECT rowid, * FROM docs") == rows
    assert found(documents) == [("gamma",)]


@pytest.mark.parametrize(
    ("columns", "options", "number"),
    [
        ("rowid TEXT, id, body", "", "_rowid_"),
        ('"ROWID" TEXT, id, _rowid_ AS (1), body', "", "oid"),
        ("id INT, body", "", "rowid"),
    ],
)
def test_a_batch_keeps_them_whatever_the_columns_are_called(
    project: Project, columns: str, options: str, number: str
) -> None:
    project.existing(DOCS.format(columns=columns, options=options))
    rows = project.sql(f"SELECT {number}, * FROM docs")
    assert [row[0] for row in rows] == [1, 3, 4]
    project.batch("alter_column('body', type_=sa.Text())", table="docs")
    assert project.sql(f"SELECT {number}, * FROM docs") == rows
    project.batch("alter_column('id', new_column_name='key')", table="docs", recreate="'always'")
    assert [row[0] for row in project.sql(f"SELECT {number} FROM docs")] == [1, 3, 4]


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ("rowid, oid, _rowid_, id, body", ""),
        ("id TEXT PRIMARY KEY, body", "WITHOUT ROWID"),
        ("id TEXT PRIMARY KEY, body", "STRICT"),
        ("id TEXT, body, n INTEGER PRIMARY KEY", ""),
    ],
)
def test_tables_whose_rows_have_other_numbers_or_none_are_rebuilt_as_ever(
    project: Project, columns: str, options: str
) -> None:
    columns = columns.replace("body", "body TEXT") if options == "STRICT" else columns
    project.existing(DOCS.format(columns=columns, options=options))
    rows = project.sql("SELECT * FROM docs")
    project.batch("alter_column('body', type_=sa.Text())", table="docs")
    assert project.sql("SELECT * FROM docs") == rows
    assert options in project.schema("docs")


def test_a_batch_that_gives_rows_other_numbers_is_refused_where_they_are_looked_for(
    project: Project,
) -> None:
    project.existing(
        "CREATE TABLE docs (id INTEGER, body)\n\n"
        "INSERT INTO docs VALUES (10, 'alpha'), (30, 'gamma')\n\n"
        "CREATE VIEW texts AS SELECT rowid AS rowid, body FROM docs\n\n"
        + SEARCH.replace("content='docs'", 'content="Texts"')
    )
    key = "create_primary_key('pk', ['id'])"
    said = project.refused(key, table="docs")
    by = "by which the virtual table search finds its rows"
    assert f"this would be lost: the rowids of docs, {by} | " in said
    assert said.endswith("drop the virtual table search before, and make and fill it again behind")
    create, fill = SEARCH.replace("docs", "texts").split("\n\n")
    project.revision(
        f"""
        op.execute("DROP TABLE search")
        with op.batch_alter_table("docs") as batch_op:
            batch_op.{key}
        op.execute({create!r})
        op.execute({fill!r})
        """
    )
    project.upgrade()
    assert found(project) == [("gamma",)]


def test_a_rebuild_by_hand_that_copies_them_is_not_refused(documents: Project) -> None:
    documents.existing(by_hand("rowid, id, body"))
    assert found(documents) == [("gamma",)]


@pytest.mark.parametrize(
    ("read", "order"),
    [("id, body", ""), ("id, body", "ORDER BY id DESC"), ("rowid + 1, id, body", "")],
)
def test_a_rebuild_by_hand_that_gives_rows_other_numbers_is_refused(
    documents: Project, read: str, order: str
) -> None:
    script = by_hand(read.replace("rowid + 1", "rowid"), read, order)
    said = documents.refused_script(script)
    assert "this would be lost: the rowids of docs, by which the virtual table search finds" in said
    assert "copy them too: INSERT INTO ... (rowid, ...) SELECT rowid, ..., or drop the" in said
    comment = said[said.index("/* loses: ") :]
    assert comment == "/* loses: rowids of docs */"
    documents.existing(f"{script}\n\nINSERT INTO search (search) VALUES ('rebuild')")
    assert found(documents) == [("gamma",)]
    documents.existing("DROP TABLE search")
    documents.existing(script)
    documents.existing(SEARCH)
    assert found(documents) == [("gamma",)]


def test_rows_that_change_places_are_known_by_their_key(project: Project) -> None:
    project.existing(DOCS.format(columns="id TEXT PRIMARY KEY, body", options=""))
    project.existing("UPDATE docs SET rowid = rowid - 1 WHERE rowid > 1")
    project.existing(SEARCH)
    script = by_hand(order="ORDER BY id DESC")
    assert "the rowids of docs" in project.refused_script(script)
    project.existing(script.replace("id, body FROM", "'_' || id, body FROM").replace(" DESC", ""))
    assert found(project) == [("gamma",)]
    project.existing(f"{script} /* loses: rowids of docs */")
    assert found(project, "alpha") == [("delta",)]


def test_rows_may_come_and_go_behind_a_rebuild_by_hand(documents: Project) -> None:
    documents.existing(f"{by_hand('rowid, id, body')}\n\nINSERT INTO docs VALUES ('u5', 'new')")
    documents.existing(f"{by_hand('rowid, id, body')}\n\nDELETE FROM docs WHERE id = 'u1'")
    assert found(documents) == [("gamma",)]


def test_a_trigger_that_keeps_an_index_by_number_looks_for_rows_by_it(project: Project) -> None:
    project.existing(
        DOCS.format(columns="id TEXT PRIMARY KEY, body", options="")
        + "\n\nCREATE VIRTUAL TABLE search USING fts5(body)\n\n"
        "INSERT INTO search (rowid, body) SELECT rowid, body FROM docs\n\n"
        "CREATE TRIGGER gone AFTER DELETE ON docs"
        " BEGIN DELETE FROM search WHERE rowid = OLD.rowid; END"
    )
    said = project.refused_script(by_hand())
    assert "the rowids of docs, by which the trigger gone finds its rows" in said
    project.existing(by_hand("rowid, id, body"))
    project.sql("DELETE FROM docs WHERE id = 'u3'")
    assert found(project) == []
    project.existing(f"DROP TRIGGER gone\n\n{by_hand()}")
    assert "gone" not in project.names()


def test_a_table_whose_rows_lose_their_numbers_is_refused_where_they_are_looked_for(
    documents: Project,
) -> None:
    script = by_hand().replace("KEY, body)", "KEY, body) WITHOUT ROWID")
    assert "the rowids of docs" in documents.refused_script(script)


@pytest.mark.parametrize("search", [SEARCH, SEARCH.replace("content='docs'", 'content = "Docs"')])
def test_a_column_that_an_index_for_search_names_is_not_taken_from_it(
    project: Project, search: str
) -> None:
    columns = "id TEXT PRIMARY KEY, body TEXT, content TEXT"
    project.existing(DOCS.format(columns=columns, options=""))
    project.existing(search)
    for change in ("drop_column('body')", "alter_column('body', new_column_name='text')"):
        said = project.refused(change, table="docs", recreate="'always'")
        assert "this would be lost: virtual table search, which names the column body" in said
        assert "op.execute('DROP TABLE ...')" in said
    rebuild = by_hand("rowid, id").replace("KEY, body", "KEY")
    assert "virtual table search, which names the column body" in project.refused_script(rebuild)
    project.batch("drop_column('content')", table="docs", recreate="'always'")
    assert found(project) == [("gamma",)]
    project.existing("DROP TABLE search")
    project.existing(rebuild)
    assert project.schema("docs") == "CREATE TABLE docs (id TEXT PRIMARY KEY)"


def test_where_nothing_looks_for_them_a_rebuild_by_hand_may_count_anew(project: Project) -> None:
    project.existing(DOCS.format(columns="id TEXT PRIMARY KEY, body", options=""))
    project.existing(by_hand())
    assert project.sql("SELECT rowid FROM docs") == [(1,), (2,), (3,)]


def test_a_rebuild_by_hand_may_rename_the_key_and_keep_the_numbers(documents: Project) -> None:
    """Also where a row has the old name of the key for its key: SQLite takes "id" for a text."""
    documents.existing("INSERT INTO docs (rowid, id, body) VALUES (2, 'id', 'beta')")
    script = by_hand("rowid, name, body", "rowid, id, body").replace("(id TEXT", "(name TEXT")
    documents.existing(script)
    assert documents.sql("SELECT rowid, name FROM docs ORDER BY rowid") == [
        (1, "u1"),
        (2, "id"),
        (3, "u3"),
        (4, "u4"),
    ]
    assert found(documents) == [("gamma",)]


def test_a_batch_that_is_to_have_no_numbers_may_have_any_type_of_key(project: Project) -> None:
    project.existing("CREATE TABLE t (id INTEGER PRIMARY KEY, a)\n\nINSERT INTO t VALUES (7, 1)")
    without = {"table_kwargs": '{"sqlite_with_rowid": False}'}
    project.batch("alter_column('id', type_=sa.BigInteger())", table="t", **without)
    assert project.sql("SELECT * FROM t") == [(7, 1)]
    assert "WITHOUT ROWID" in project.sql("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]
