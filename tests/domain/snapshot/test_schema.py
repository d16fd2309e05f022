"""A snapshot is free of order, and says by its fingerprint whether two are equal."""

from __future__ import annotations

import json

import pytest

from work_data_hub.domain.snapshot.fingerprint import fingerprint_of
from work_data_hub.domain.snapshot.schema import FORMAT, SchemaObject, Snapshot

TABLE = SchemaObject("table", "public.t", {"options": ("fillfactor=70",)}, own_name="t")
COLUMN = SchemaObject("column", "public.t.id", {"type": "integer", "not null": True}, "public.t")
CHECK = SchemaObject("check", "public.t check (id > 0)", {}, "public.t", own_name="t_check")


def test_the_order_of_objects_and_of_properties_does_not_count() -> None:
    turned = SchemaObject(
        "column", "public.t.id", {"not null": True, "type": "integer"}, "public.t"
    )
    one = Snapshot("postgresql", [TABLE, COLUMN, CHECK])
    other = Snapshot("postgresql", [CHECK, turned, TABLE])
    assert one == other
    assert fingerprint_of(one).whole == fingerprint_of(other).whole
    assert [item.kind for item in other] == ["check", "column", "table"]  # as they can be made


@pytest.mark.parametrize("empty", [None, False, "", ()])
def test_what_is_empty_is_as_what_is_not_there(empty: str | bool | tuple[str, ...] | None) -> None:
    with_more = SchemaObject("table", "public.t", {**TABLE.properties, "new in 19": empty})
    assert Snapshot("postgresql", [with_more]) == Snapshot("postgresql", [TABLE])


def test_a_zero_is_something() -> None:
    assert dict(SchemaObject("column", "t.c", {"statistics": 0}).properties) == {"statistics": 0}


@pytest.mark.parametrize(
    "changed",
    [
        SchemaObject("column", "public.t.id", {"type": "bigint", "not null": True}),
        SchemaObject("column", "public.t.id", {"type": "integer"}),
        SchemaObject("column", "public.t.ID", {"type": "integer", "not null": True}),
        SchemaObject("view", "public.t.id", {"type": "integer", "not null": True}),
    ],
)
def test_whatever_is_another_gives_another_fingerprint(changed: SchemaObject) -> None:
    one, other = Snapshot("postgresql", [COLUMN]), Snapshot("postgresql", [changed])
    assert one != other
    assert fingerprint_of(one).whole != fingerprint_of(other).whole


def test_what_an_object_is_called_where_nobody_named_it_does_not_count() -> None:
    other = SchemaObject("check", "public.t check (id > 0)", {}, "public.t", own_name="t_check1")
    assert Snapshot("postgresql", [other]) == Snapshot("postgresql", [CHECK])


def test_who_the_owner_is_and_what_a_view_shows_is_told_and_not_compared() -> None:
    view = SchemaObject("view", "public.v", {"definition": "SELECT 1"})
    shown = SchemaObject("view", "public.v", {"definition": "SELECT 1"}, columns=("a integer",))
    one, other = Snapshot("postgresql", [view], "me"), Snapshot("postgresql", [shown], "you")
    assert one == other
    again = Snapshot.from_data(json.loads(json.dumps(other.as_data())))
    assert (again.owner, next(iter(again)).columns) == ("you", ("a integer",))
    assert again.without(lambda item: item.kind == "table").owner == "you"


def test_the_same_constraint_twice_is_two_objects() -> None:
    twice = Snapshot("postgresql", [CHECK, CHECK])
    assert len(twice) == 2
    assert twice != Snapshot("postgresql", [CHECK])


def test_a_fingerprint_has_the_format_it_was_made_by() -> None:
    mark, digest = fingerprint_of(Snapshot("sqlite", [])).whole.split(":")
    assert int(mark) == FORMAT
    assert len(bytes.fromhex(digest)) == 32


def test_a_snapshot_is_kept_as_plain_data() -> None:
    shown = SchemaObject("view", "v", {}, own_name="V", shown="V")
    kept = Snapshot("postgresql", [TABLE, COLUMN, CHECK, shown])
    data = json.loads(json.dumps(kept.as_data()))
    again = Snapshot.from_data(data)
    assert again == kept
    assert list(again) == list(kept)
    assert again.engine == "postgresql"
    with pytest.raises(ValueError, match="of format 2, not 1"):
        Snapshot.from_data({**data, "format": 2})


def test_what_is_left_out_takes_with_it_what_goes_with_it() -> None:
    whole = Snapshot("postgresql", [TABLE, COLUMN, CHECK])
    assert len(whole.without(lambda item: item.kind == "table")) == 0
    assert list(whole.without(lambda item: item.kind == "check")) == [TABLE, COLUMN]
