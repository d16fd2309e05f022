"""What a rebuild of a SQLite table has lost, judged by values alone."""

from __future__ import annotations

import pytest

from work_data_hub.domain.sql.statement import action_of
from work_data_hub.domain.sqlite.census import (
    Census,
    Dependent,
    Fault,
    Index,
    event_of,
    kept_indexes,
    missing_rows,
    new_faults,
    silent_faults,
    use_of,
)
from work_data_hub.domain.sqlite.column_names import renames
from work_data_hub.domain.sqlite.ddl import Clause
from work_data_hub.domain.sqlite.foreign_keys import (
    Violation,
    may_break,
    may_change_schema,
    refuse_broken,
)
from work_data_hub.domain.sqlite.loss import Consent, Loss, drop_first, refuse
from work_data_hub.errors import RefusedError

INDEXES = {
    "both": Index("both", "CREATE INDEX both ON t (a, b)", ("a", "b"), is_partial=False),
    "one": Index("one", "CREATE UNIQUE INDEX one ON t (a)", ("a",), is_partial=False),
    "expression": Index(
        "expression", "CREATE INDEX e ON t (lower(a || b))", (None,), is_partial=False
    ),
}
CENSUS = Census("t", "CREATE TABLE t (a, b)", {"t": 3, "child": 2}, INDEXES, {}, None, {"view old"})


def test_rows_are_missed_in_tables_that_are_still_there() -> None:
    found = [loss.what for loss in missing_rows(CENSUS, {"t": 1})]
    assert found == ["2 of 3 rows of t"]
    assert missing_rows(CENSUS, {"t": 4, "child": 2}) == []


def test_only_what_worked_before_is_a_new_fault() -> None:
    found = new_faults(CENSUS, [Fault("view", "view old", "x"), Fault("view", "view v", "why")])
    assert [loss.what for loss in found] == ["view v (why)"]
    assert "DROP VIEW" in found[0].keep


def test_an_index_goes_with_the_last_of_its_columns_and_is_asked_for_with_one_of_several() -> None:
    kept, losses = kept_indexes(CENSUS, [], ["A"])
    assert [index.name for index in kept] == []
    assert [loss.what for loss in losses] == ["index both of t", "expression index expression of t"]
    kept, losses = kept_indexes(CENSUS, ["both"], ["b"])
    assert ([index.name for index in kept], [loss.what for loss in losses]) == (
        ["one"],
        ["expression index expression of t"],
    )
    assert kept_indexes(CENSUS, [], ["a", "b"]) == ([], [])


def test_a_dropped_column_is_found_in_what_would_go_on_without_it() -> None:
    dependents = [
        Dependent("view", "v", "v", 'CREATE VIEW v AS SELECT "a" FROM t'),
        Dependent("view", "w", "w", 'CREATE VIEW w AS SELECT "a" FROM v'),
        Dependent("view", "other", "other", 'CREATE VIEW other AS SELECT "a" FROM s'),
        Dependent("trigger", "g", "t", "CREATE TRIGGER g UPDATE OF a ON t BEGIN SELECT 1; END"),
        Dependent("trigger", "h", "t", "CREATE TRIGGER h UPDATE ON t BEGIN SELECT 1; END"),
    ]
    found = [loss.what.split(",")[0] for loss in silent_faults(dependents, "T", ["A"])]
    assert found == ["view v", "view w", "trigger g"]


@pytest.mark.parametrize(
    ("trigger", "event"),
    [
        ("CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM t; END", "INSERT"),
        ("CREATE TRIGGER IF NOT EXISTS delete_it UPDATE ON t BEGIN SELECT 1; END", "UPDATE"),
        ("CREATE TEMP TRIGGER a INSTEAD OF DELETE ON v BEGIN SELECT 1; END", "DELETE"),
    ],
)
def test_the_event_of_a_trigger_is_not_taken_from_its_name_or_body(
    trigger: str, event: str
) -> None:
    assert event_of(trigger) == event


def test_a_use_names_the_columns_or_the_rowid() -> None:
    assert use_of("t", "DELETE", []) == 'DELETE FROM main."t"'
    assert use_of("t", "UPDATE", ["a"]) == 'UPDATE main."t" SET "a" = "a"'
    assert use_of("t", "INSERT", []) == 'INSERT INTO main."t" (rowid) VALUES (NULL)'


def test_consent_is_given_by_a_drop_or_by_a_comment() -> None:
    consent = Consent()
    assert not consent.covers(Loss("index i of t", ""))
    for statement in ("DROP INDEX I", "SELECT 1 /* loses: 2 of 3 rows of t */"):
        consent.note(statement)
        consent.note_drop(action_of(statement))
    assert consent.names("index", "i")
    assert consent.covers(Loss("2 of 3 rows of T", ""))
    assert not consent.covers(Loss("1 of 3 rows of t", ""))


def test_what_would_be_lost_is_refused_once_and_how_to_keep_it_in_one_line() -> None:
    refuse([])
    losses = [
        Loss("index a of t", "create it again: CREATE INDEX a"),
        Loss("index b of t", "create it again: CREATE INDEX b"),
        Loss("index b of t", "create it again: CREATE INDEX b"),
        Loss("STRICT of t", "say it"),
    ]
    with pytest.raises(RefusedError) as refused:
        refuse(losses, "; or ask for it")
    assert refused.value.message == "this would be lost: index a of t; index b of t; STRICT of t"
    assert refused.value.hint == (
        "create it again: CREATE INDEX a, CREATE INDEX b; say it; or ask for it"
    )


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        (Clause("CHECK", "CHECK (a)", "ck"), "batch_op.drop_constraint('ck')"),
        (Clause("CHECK", "CHECK (a)"), "restate those that stay"),
        (Clause("GENERATED", "AS (a)"), "drop the generated column"),
        (Clause("UNIQUE", "UNIQUE (a)"), "naming_convention"),
    ],
)
def test_how_a_constraint_is_dropped_is_said_of_each_kind(clause: Clause, said: str) -> None:
    assert said in drop_first(clause)


def test_names_are_exchanged_by_way_of_a_third() -> None:
    steps = renames({"a": "b", "b": "a", "c": "C"}, ["a", "b", "c"])
    names = ["a", "b", "c"]
    for old, new in steps:
        assert new.lower() not in {name.lower() for name in names if name != old}
        names[names.index(old)] = new
    assert names == ["b", "a", "C"]


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("CREATE TABLE x (a)", False),
        ("DROP TABLE x", True),
        ("DROP VIEW x", False),
        ("ALTER TABLE x ADD COLUMN a", False),
        ("ALTER TABLE x ADD COLUMN a REFERENCES t", True),
        ("ALTER TABLE x RENAME TO y", True),
        ("DELETE FROM related", True),
        ("DELETE FROM alone", False),
        ("INSERT INTO related VALUES (1)", True),
        ("INSERT INTO alone VALUES (1)", False),
        ("UPDATE related SET a = 1", True),
        ("UPDATE alone SET a = 1", False),
        ("REPLACE INTO alone VALUES (1)", True),
    ],
)
def test_what_may_break_a_foreign_key_is_checked(statement: str, may: bool) -> None:
    assert may_break(action_of(statement), statement, lambda table: table == "related") is may


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("SELECT 1", False),
        ("INSERT INTO t VALUES (1)", False),
        ("UPDATE t SET a = 1", False),
        ("DELETE FROM t", False),
        ("CREATE TABLE t (a)", True),
        ("PRAGMA writable_schema = ON", True),
    ],
)
def test_what_may_change_the_schema_is_known(statement: str, may: bool) -> None:
    assert may_change_schema(action_of(statement)) is may


@pytest.mark.parametrize(
    ("sql", "is_partial", "does"),
    [
        ("create unique index i ON t (a)", False, True),
        ("CREATE UNIQUE INDEX i ON t (a) WHERE a > 0", True, False),
        ("CREATE INDEX i ON t (a)", False, False),
        ("CREATE INDEX i ON t (a) WHERE a > 0", True, False),
    ],
)
def test_an_index_does_what_a_unique_constraint_does_where_it_is_of_all_rows(
    sql: str, is_partial: bool, does: bool
) -> None:
    assert Index("i", sql, ("a",), is_partial=is_partial).makes_unique is does


def test_a_broken_foreign_key_is_named() -> None:
    refuse_broken([])
    with pytest.raises(RefusedError, match=r"^2 foreign .* child \(rowid 7\) has no row in t$"):
        refuse_broken([Violation("child", 7, "t"), Violation("child", 8, "t")])
    with pytest.raises(RefusedError, match=r"child foreign key mismatch$"):
        refuse_broken([Violation("child", None, "", "foreign key mismatch")])
