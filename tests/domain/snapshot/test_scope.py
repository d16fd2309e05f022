"""What others own is no drift: schemas that no revision makes, and what a rule leaves out."""

from __future__ import annotations

import pytest

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.ignored import parse_rules
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot
from work_data_hub.domain.snapshot.scope import Compared, in_scope
from work_data_hub.errors import UsageError

ORDERS = SchemaObject("table", "public.orders", {}, "", "public.orders")
ID = SchemaObject("column", "public.orders.id", {"type": "integer"}, "public.orders", "id")
MADE_BY_DBT = [
    SchemaObject("table", "public.dbt_orders", {}, "", "public.dbt_orders"),
    SchemaObject("column", "public.dbt_orders.id", {}, "public.dbt_orders", "id"),
]


def compared(
    wanted: list[SchemaObject], found: list[SchemaObject], *lines: str
) -> tuple[list[str], Compared]:
    """Return the differences that count, and all that was compared."""
    sides = Snapshot("postgresql", wanted), Snapshot("postgresql", found)
    scope = in_scope(*sides, parse_rules(lines))
    return [str(each) for each in differences(scope.wanted, scope.found)], scope


def changed(item: SchemaObject, **properties: str | bool | tuple[str, ...]) -> SchemaObject:
    told = {name.replace("_", " "): value for name, value in properties.items()}
    return SchemaObject(item.kind, item.name, {**item.properties, **told}, item.parent)


def test_what_a_rule_covers_is_no_difference_and_is_said_with_its_reason() -> None:
    found = [ORDERS, ID, *MADE_BY_DBT]
    counted, scope = compared([ORDERS, ID], found, "table dbt_*: dbt makes them")

    assert counted == []
    (ignored,) = scope.ignored
    assert str(ignored.difference) == "table public.dbt_orders is extra (with 1 column)"
    assert (str(ignored.rule), ignored.rule.reason) == ("table dbt_*", "dbt makes them")


@pytest.mark.parametrize(
    "rule",
    [
        "table public.dbt_*: because",
        "* dbt_*: because",
        "table *.dbt_orders: because",
        "   table   dbt_orders :  because  ",
    ],
)
def test_a_pattern_may_name_the_schema(rule: str) -> None:
    assert compared([ORDERS, ID], [ORDERS, ID, *MADE_BY_DBT], rule)[0] == []


@pytest.mark.parametrize(
    "rule", ["view dbt_*: because", "table DBT_*: because", "column dbt_orders: because"]
)
def test_a_rule_covers_no_other_kind_and_no_other_name(rule: str) -> None:
    assert compared([ORDERS, ID], [ORDERS, ID, *MADE_BY_DBT], rule)[0]


def test_a_rule_that_covers_a_table_covers_what_is_in_it() -> None:
    found = [ORDERS, changed(ID, type="bigint")]
    counted, scope = compared([ORDERS, ID], found, "table orders: somebody's")

    assert counted == []
    assert [str(each.difference) for each in scope.ignored] == [
        "column public.orders.id: type should be integer and is bigint"
    ]


def test_a_rule_may_be_about_one_property_alone() -> None:
    found = [ORDERS, changed(ID, type="bigint", comment="x")]
    counted, scope = compared([ORDERS, ID], found, "*.comment *: the catalogue writes them")

    assert counted == ["column public.orders.id: type should be integer and is bigint"]
    assert [str(each.difference) for each in scope.ignored] == [
        "column public.orders.id: comment should be nothing and is x"
    ]


def test_a_property_of_several_words_is_written_with_hyphens() -> None:
    found = [ORDERS, changed(ID, not_null="so")]
    assert compared([ORDERS, ID], found, "column.not-null *: because")[0] == []


def test_a_rule_hides_nothing_that_is_alike_but_not_covered() -> None:
    other = SchemaObject("table", "public.more", {}, "", "public.more")
    counted, _ = compared([ORDERS], [ORDERS, *MADE_BY_DBT, other], "table dbt_*: because")
    assert counted == ["table public.more is extra"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("table dbt_*", "no rule with a reason"),
        ("table: because", "no rule with a reason"),
        ("table dbt_*: ", "no rule with a reason"),
        ("tabel dbt_*: because", "'tabel', which is no kind"),
    ],
)
def test_a_line_that_is_no_rule_is_refused(line: str, fault: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_rules([line])
    assert fault in refusal.value.message
    assert refusal.value.hint


def test_a_kind_of_several_words_is_written_with_a_hyphen() -> None:
    (rule,) = parse_rules(["", "  foreign-key orders.*: because"])
    assert (rule.kind, rule.pattern) == ("foreign key", "orders.*")


def test_a_schema_that_no_revision_makes_is_not_compared_and_that_is_said() -> None:
    found = [
        SchemaObject("schema", "public_2", {}, "", "public_2"),
        SchemaObject("table", "public_2.t", {}, "", "public_2.t"),
        SchemaObject("column", "public_2.t.id", {}, "public_2.t", "id"),
        ORDERS,
        ID,
    ]
    counted, scope = compared([ORDERS, ID], found)
    assert counted == []
    assert scope.left_out == ("schema public_2: no revision makes it",)


def test_what_is_granted_to_who_owns_the_schema_is_no_difference() -> None:
    granted = changed(ORDERS, grants=("+SELECT to app", "+SELECT to other"))
    policy = SchemaObject("policy", "public.orders.p", {"to": ("app", "other")}, "public.orders")
    wanted = Snapshot("postgresql", [granted, policy], "postgres")
    owned = changed(ORDERS, grants=("+SELECT to other",))
    found = [owned, changed(policy, to=("(owner)", "other"))]
    for owner, differing in (("app", 0), ("somebody", 2)):
        scope = in_scope(wanted, Snapshot("postgresql", found, owner), [])
        assert len(differences(scope.wanted, scope.found)) == differing


def test_public_is_one_of_them_where_the_revisions_have_another_default() -> None:
    own = SchemaObject("schema", "own", {}, "", "own")
    assert in_scope(
        Snapshot("postgresql", [own]), Snapshot("postgresql", [own, ORDERS, ID]), [], "own"
    ).left_out == ("schema public: no revision makes it",)
    assert in_scope(
        Snapshot("postgresql", []), Snapshot("postgresql", [ORDERS, ID]), [], "public"
    ).found == Snapshot("postgresql", [ORDERS, ID])


def test_a_materialized_view_that_was_filled_is_no_difference_and_one_that_is_empty_is() -> None:
    full = SchemaObject("materialized view", "public.sums", {"definition": "SELECT 1"})
    empty = changed(full, **{"not populated": True})
    assert compared([empty], [full])[0] == []
    assert compared([empty], [empty])[0] == []
    assert len(compared([full], [empty])[0]) == 1


def test_a_schema_that_a_revision_makes_is_compared() -> None:
    schema = SchemaObject("schema", "own", {}, "", "own")
    table = SchemaObject("table", "own.t", {}, "", "own.t")
    assert compared([schema], [schema, table])[0] == ["table own.t is extra"]


@pytest.mark.parametrize("name", ["grants", "owner", "clustered"])
def test_who_may_do_what_counts_where_a_revision_decides_it(name: str) -> None:
    granted = changed(ORDERS, **{name: "dba"})
    counted, scope = compared([ORDERS, ID], [granted, ID])
    assert (counted, scope.left_out) == ([], (f"{name}: no revision decides on any",))

    decided = changed(ID, **{name: "app"})
    counted, scope = compared([ORDERS, decided], [granted, decided])
    assert counted == [f"table public.orders: {name} should be nothing and is dba"]
    assert scope.left_out == ()
