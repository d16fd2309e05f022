"""An expression has one text, however it is written, and that text means the same to SQLite."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.sqlite.canonical import canonical
from work_data_hub.domain.sqlite.items import items_of

COLUMNS = ("a", "b", "order")
VALUES = (None, 0, 1, -1, 2.5, "a", "B", "%", "")
EXAMPLES = settings().max_examples * 30


def text(sql: str) -> str:
    return canonical(items_of(sql), COLUMNS)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("A", "a"),
        ('"A"', "a"),
        ("[a]", "a"),
        ("`a`", "a"),
        ('"order"', '"order"'),
        ('"nothing"', "'nothing'"),
        ('"it\'s"', "'it''s'"),
        ("'A'", "'A'"),
        ('t."x"', "t.x"),
        ('a collate "nocase"', "a COLLATE nocase"),
        ("  a\n>  0 -- more\n", "a > 0"),
        ("a/* one */>0", "a > 0"),
        ("a!=1", "a <> 1"),
        ("a==1", "a = 1"),
        ("((a))", "a"),
        ("(lower((a)))", "lower(a)"),
        ("LOWER (a)", "lower(a)"),
        ("(a > 1) and (b < 2)", "a > 1 AND b < 2"),
        ("(a or b) and b", "(a OR b) AND b"),
        ("a and (b and a)", "a AND b AND a"),
        ("a - (b - 1)", "a - (b - 1)"),
        ("(a - b) - 1", "a - b - 1"),
        ("a = (b = 1)", "a = (b = 1)"),
        ("a between 1 and (b and a)", "a BETWEEN 1 AND (b AND a)"),
        ("(a between (1) and (2)) and b", "a BETWEEN 1 AND 2 AND b"),
        ("not (a = 1)", "NOT a = 1"),
        ("(not a) = 1", "(NOT a) = 1"),
        ("-(-a)", "- -a"),
        ("- (1)", "-1"),
        ("a-1", "a - 1"),
        ("1e5+.5-X'ab'", "1E5 + .5 - X'AB'"),
        ("a in ((1), (2))", "a IN (1, 2)"),
        ("(a, b) = (1, 2)", "(a, b) = (1, 2)"),
        ("a not  in (select (b) from t)", "a NOT IN (SELECT b FROM t)"),
        ("exists ((select 1))", "EXISTS ((SELECT 1))"),
        ("case when (a = 1) then (b) else (2) end", "CASE WHEN a = 1 THEN b ELSE 2 END"),
        ("a is not distinct from (b)", "a IS NOT DISTINCT FROM b"),
        ("a not like (b || '%') escape ('x')", "a NOT LIKE b || '%' ESCAPE 'x'"),
        ("like('x', (a))", "like('x', a)"),
        ("cast((a) as text)", "cast(a AS text)"),
        ('cast(a as "Text")', "cast(a AS text)"),  # no string, for all that no column is called so
        ("(a || b) collate nocase", "(a || b) COLLATE nocase"),
        ("a ->> ('$.x')", "a ->> '$.x'"),
        ("count(*) filter (where (a))", "count(*) filter(WHERE a)"),
        ("a * (b)", "a * b"),
        ("(a) notnull", "a NOTNULL"),
        ("(t.a) > 1", "t.a > 1"),
        ("a = '!='", "a = '!='"),
        ("(BY) - 1", "by - 1"),  # a name, where nothing is ordered or grouped
    ],
)
def test_an_expression_is_written_in_one_way(written: str, expected: str) -> None:
    assert text(written) == expected
    assert text(expected) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'a'", "'A'"),
        ("'a'", "a"),
        ("a > 0", "a >= 0"),
        ("(a + b) * 2", "a + b * 2"),
        ("a = 'x -- y'", "a = 'x'"),
        ("a = 1", "a IS 1"),
        ("É", "é"),
        ("a->'x'", "a->>'x'"),
        ('"order"', "'order'"),
    ],
)
def test_what_means_something_else_is_written_otherwise(one: str, other: str) -> None:
    assert text(one) != text(other)


# As SQLite has them (sqlite.org/lang_expr), the loosest first.
PRECEDENCES = (
    ("OR",),
    ("AND",),
    (
        *("=", "==", "<>", "!=", "IS", "IS NOT", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"),
        *("LIKE", "NOT LIKE", "GLOB", "NOT GLOB", "REGEXP", "NOT REGEXP", "MATCH", "NOT MATCH"),
    ),
    ("<", "<=", ">", ">="),
    ("&", "|", "<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
    ("||", "->", "->>"),
)


@pytest.mark.parametrize(("level", "operators"), [*enumerate(PRECEDENCES)])
def test_parentheses_go_where_the_precedences_say_the_same(
    level: int, operators: tuple[str, ...]
) -> None:
    others = [(rank, other) for rank, names in enumerate(PRECEDENCES) for other in names]
    assert len(others) == 34
    for (rank, other), operator in itertools.product(others, operators):
        bare = text(f"a {operator} b {other} a")
        goes = (
            text(f"(a {operator} b) {other} a") == bare,
            text(f"a {operator} (b {other} a)") == bare,
        )
        has_no_first = operator == other and operator in ("AND", "OR")
        assert goes == (level >= rank, level < rank or has_no_first), (operator, other)


def test_a_query_keeps_what_is_no_expression_in_its_parentheses() -> None:
    query = (
        "WITH x(a) AS (SELECT 1 UNION VALUES (1), (2)) SELECT DISTINCT (a), (b + 1) * 2, x.*"
        " FROM (t JOIN u USING (a)), (SELECT 1) WHERE ((a)) GROUP BY (a) HAVING (max(a) > 1)"
        " ORDER BY (a) DESC LIMIT (1)"
    )
    assert canonical(items_of(query)) == (
        "with x(a) AS (SELECT 1 UNION VALUES (1), (2)) SELECT DISTINCT a, (b + 1) * 2, x.*"
        " FROM (t JOIN u USING (a)), (SELECT 1) WHERE a GROUP BY a HAVING max(a) > 1"
        " ORDER BY a desc LIMIT 1"
    )


BINARY = (
    *("OR", "AND", "=", "<>", "IS", "IS NOT", "LIKE", "NOT LIKE", "GLOB", "<", ">="),
    *("&", "<<", "+", "-", "*", "/", "||"),
)
PREFIX = ("NOT", "-", "~")
SHAPES = (
    "CASE WHEN {} THEN {} ELSE {} END",
    "coalesce({}, {}, {})",
    "CAST({} AS TEXT)",
)
Tree = tuple[Any, ...]


def trees() -> st.SearchStrategy[Tree]:
    leaves = st.sampled_from(("a", "b", '"order"', "1", "'a'", "NULL", "2.5")).map(lambda x: (x,))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(BINARY), inner, inner),
            st.tuples(st.sampled_from(PREFIX), inner),
            st.tuples(st.sampled_from(SHAPES), inner, inner, inner),
            st.tuples(st.sampled_from(("BETWEEN", "NOT BETWEEN")), inner, inner, inner),
            st.tuples(st.sampled_from(("IS NULL", "NOTNULL", "COLLATE NOCASE")), inner),
            st.tuples(st.just("IN"), inner, inner, inner),
        ),
        max_leaves=12,
    )


def with_all_parentheses(tree: Tree) -> str:
    operator, *operands = tree
    inner = [with_all_parentheses(operand) for operand in operands]
    if not operands:
        return str(operator)
    if operator in SHAPES:
        return f"({operator.format(*inner)})"
    if operator in PREFIX:
        return f"({operator} {inner[0]})"
    if operator in BINARY:
        return f"({inner[0]} {operator} {inner[1]})"
    if operator == "IN":
        return f"({inner[0]} IN ({inner[1]}, {inner[2]}))"
    if "BETWEEN" in operator:
        return f"({inner[0]} {operator} {inner[1]} AND {inner[2]})"
    return f"({inner[0]} {operator})"


@settings(max_examples=EXAMPLES)
@given(trees(), st.lists(st.tuples(*[st.sampled_from(VALUES)] * 3), min_size=1, max_size=5))
def test_fewer_parentheses_mean_the_same(tree: Tree, rows: list[Tree]) -> None:
    written = with_all_parentheses(tree)
    simple = text(written)
    assert text(simple) == simple
    assert text(f"(({simple}))") == simple
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute('CREATE TABLE t (a, b, "order")')
        db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        wanted = db.execute(f"SELECT {written}, typeof({written}) FROM t").fetchall()
        assert db.execute(f"SELECT {simple}, typeof({simple}) FROM t").fetchall() == wanted
