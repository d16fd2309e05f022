"""What models make is compared with what migrations make, as far as models can say it."""

from __future__ import annotations

import pytest

from work_data_hub.domain.snapshot.ignored import parse_rules
from work_data_hub.domain.snapshot.models import made_differently
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

NOTHING = Snapshot("sqlite", ())


def table(engine: str, *parts: SchemaObject) -> Snapshot:
    return Snapshot(engine, [SchemaObject("table", "orders", {}, own_name="orders"), *parts])


def column(**properties: str) -> SchemaObject:
    return SchemaObject("column", "orders.size", properties, "orders", "size")


def said(made: Snapshot, migrated: Snapshot, *rules: str) -> list[str]:
    found = made_differently(
        Snapshot(made.engine, ()),
        made,
        migrated,
        is_hidden=lambda _: False,
        rules=parse_rules(rules),
    )
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("engine", "one", "other", "is_same"),
    [
        ("sqlite", {"type": "INTEGER"}, {"type": "INT"}, True),
        ("sqlite", {"type": "NUMERIC(9, 2)"}, {"type": "DECIMAL(9, 2)"}, True),
        ("sqlite", {"type": "INTEGER"}, {"type": "BIGINT"}, False),
        (
            "sqlite",
            {"type": "INTEGER", "default": "'0'"},
            {"type": "INTEGER", "default": "0"},
            True,
        ),
        ("sqlite", {"type": "TEXT", "default": "'-7'"}, {"type": "TEXT", "default": "-7"}, True),
        ("sqlite", {"type": "TEXT", "default": "'07'"}, {"type": "TEXT", "default": "07"}, False),
        ("sqlite", {"type": "BLOB", "default": "'7'"}, {"type": "BLOB", "default": "7"}, False),
        ("sqlite", {"default": "'7'"}, {"default": "7"}, False),
        ("postgresql", {"default": "now()"}, {"default": "CURRENT_TIMESTAMP"}, True),
        ("postgresql", {"type": "INTEGER"}, {"type": "INT"}, False),
        ("postgresql", {"type": "text", "default": "'7'"}, {"type": "text", "default": "7"}, False),
    ],
)
def test_what_an_engine_takes_as_the_same_is_no_difference(
    engine: str, one: dict[str, str], other: dict[str, str], is_same: bool
) -> None:
    made, migrated = table(engine, column(**one)), table(engine, column(**other))
    assert (said(made, migrated) == []) is is_same
    assert (said(migrated, made) == []) is is_same


def test_a_name_counts_where_the_models_chose_it() -> None:
    unnamed = SchemaObject("unique", "orders unique (a)", {"columns": ("a",)}, "orders")
    named = SchemaObject("unique", "orders.once", {"columns": ("a",)}, "orders", "once")
    other = SchemaObject("unique", "orders.twice", {"columns": ("b",)}, "orders", "twice")
    assert said(table("sqlite", unnamed), table("sqlite", named)) == []
    assert said(table("sqlite", named), table("sqlite", unnamed)) == [
        "unique orders.once is missing",
        "unique orders unique (a) is extra",
    ]
    assert said(table("sqlite", unnamed), table("sqlite", named, other)) == [
        "unique orders.twice is extra"
    ]
    assert said(table("sqlite", unnamed), table("sqlite", other)) == [
        "unique orders unique (a) is missing",
        "unique orders.twice is extra",
    ]


def test_what_is_there_without_the_models_is_not_compared() -> None:
    made = table("sqlite", column(type="TEXT"))
    assert made_differently(made, made, NOTHING, is_hidden=lambda _: False, rules=()) == []


def test_an_excuse_covers_a_property_or_the_whole() -> None:
    sides = table("sqlite", column(type="TEXT")), table("sqlite", column(type="BLOB", default="1"))
    assert said(*sides, "column.type orders.size: old") == [
        "column orders.size: default should be nothing and is 1"
    ]
    assert said(*sides, "column orders.s*: old") == []
