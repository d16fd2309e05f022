"""Two snapshots differ object by object, and property by property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

if TYPE_CHECKING:
    from work_data_hub.domain.snapshot.schema import Value


def table(name: str, *columns: str, **properties: Value) -> list[SchemaObject]:
    return [
        SchemaObject("table", name, properties, own_name=name),
        *(column(name, inner) for inner in columns),
    ]


def column(of: str, name: str, **properties: Value) -> SchemaObject:
    told = {"type": "integer", **properties}
    return SchemaObject("column", f"{of}.{name}", told, of, own_name=name)


def said(wanted: list[SchemaObject], found: list[SchemaObject]) -> list[str]:
    one, other = Snapshot("postgresql", wanted), Snapshot("postgresql", found)
    return [str(difference) for difference in differences(one, other)]


def test_equal_schemas_do_not_differ() -> None:
    assert said(table("t", "a", "b"), table("t", "b", "a")) == []


def test_a_missing_table_is_one_difference_with_what_is_in_it() -> None:
    index = SchemaObject("index", "t_a", {}, "t", own_name="t_a")
    other = SchemaObject("index", "t_b", {"unique": True}, "t", own_name="t_b")
    wanted = [*table("t", "a", "b"), index, other]
    assert said(wanted, []) == ["table t is missing (with 2 columns, 2 indexes)"]
    assert said([], wanted) == ["table t is extra (with 2 columns, 2 indexes)"]


def test_a_column_of_a_table_that_is_there_stands_for_itself() -> None:
    assert said(table("t", "a", "b"), table("t", "a")) == ["column t.b is missing"]
    assert said(table("t", "a"), table("t", "a", "b")) == ["column t.b is extra"]


def test_what_is_different_is_said_property_by_property() -> None:
    wanted = [*table("t"), column("t", "a", type="text", **{"not null": True})]
    found = [*table("t", options=("fillfactor=70",)), column("t", "a", type="bigint", default="0")]
    assert said(wanted, found) == [
        "table t: options should be nothing and is (fillfactor=70)",
        "column t.a: default should be nothing and is 0; not null should be so and is nothing;"
        " type should be text and is bigint",
    ]


def test_a_rename_is_a_guess_and_said_to_be_one() -> None:
    (guess,) = said(table("t", "a", "b"), table("t", "a", "c"))
    assert guess == "column t.b is missing; it may have been renamed: t.c"
    (guess,) = said(table("t", "a", "b"), table("u", "a", "b"))
    assert guess == "table t is missing; it may have been renamed: u"


def test_nothing_is_guessed_where_it_could_be_one_of_two() -> None:
    assert said(table("t", "a"), table("t", "b", "c")) == [
        "column t.a is missing",
        "column t.b is extra",
        "column t.c is extra",
    ]


def test_another_type_is_no_rename() -> None:
    found = [*table("t"), column("t", "b", type="text")]
    assert said(table("t", "a"), found) == ["column t.a is missing", "column t.b is extra"]


def test_what_nobody_named_is_never_renamed() -> None:
    def check(text: str) -> SchemaObject:
        return SchemaObject("check", f"t check ({text})", {}, "t")

    assert said([*table("t"), check("a > 0")], [*table("t"), check("a > 1")]) == [
        "check t check (a > 0) is missing",
        "check t check (a > 1) is extra",
    ]


def test_a_name_is_compared_without_the_case_that_does_not_count_and_shown_with_it() -> None:
    def plain(name: str, shown: str) -> list[SchemaObject]:
        return [SchemaObject("table", name, {}, own_name=shown, shown=shown)]

    assert said(plain("orders", "Orders"), plain("orders", "ORDERS")) == []
    assert said(plain("orders", "Orders"), plain("bills", "Bills")) == [
        "table Orders is missing; it may have been renamed: Bills"
    ]
    assert said(plain("orders", "Orders"), []) == ["table Orders is missing"]
