"""A batch operation on SQLite drops what it is told to, and refuses to drop more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


def test_a_rename_that_sqlite_cannot_carry_through_is_refused(family: Project) -> None:
    said = family.refused("alter_column('name', new_column_name='title')")
    assert "parent.name cannot be renamed to title: error in trigger new_rich" in said
    assert "correct or drop first what the message names" in said


def test_a_column_may_be_dropped_and_another_of_its_name_added(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT COLLATE NOCASE CHECK (a > 0), b INT)\n\nCREATE INDEX i ON t (b)\n\n"
        "INSERT INTO t VALUES (1, 2)"
    )
    project.batch(
        "drop_column('a')", "add_column(sa.Column('a', sa.Text(), server_default='x'))", table="t"
    )
    assert "a TEXT DEFAULT 'x'" in project.schema("t")
    assert "CHECK" not in project.schema("t")
    assert project.sql("SELECT a, b FROM t") == [("x", 2)]


def test_a_column_is_not_lost_to_another_that_gets_its_name(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT, b INT)")
    said = project.refused(
        "alter_column('b', new_column_name='c')",
        "add_column(sa.Column('b', sa.Text()))",
        table="t",
    )
    assert "t.b would be lost" in said
    assert "batch of its own" in said


EXPLICIT = pytest.mark.parametrize(
    ("operation", "gone"),
    [
        ("drop_constraint('short_code')", "short_code"),
        ("drop_index('by_amount')", "by_amount"),
        ("drop_index('by_name_and_amount')", "by_name_and_amount"),
        ("drop_column('boss')", "boss"),
    ],
)


@EXPLICIT
def test_what_a_batch_drops_is_dropped(family: Project, operation: str, gone: str) -> None:
    family.batch(operation, recreate="'always'")
    assert gone not in " ".join(family.contents())
    assert family.schema("note_new")


def test_constraints_without_a_name_are_dropped_by_a_naming_convention(family: Project) -> None:
    convention = "{'fk': 'fk_%(table_name)s_%(column_0_name)s', 'uq': 'uq_%(column_0_name)s'}"
    family.batch("drop_constraint('fk_parent_boss')", naming_convention=convention)
    assert "boss INTEGER" in family.schema("parent")
    assert "REFERENCES" not in family.schema("parent")
    assert "AUTOINCREMENT" in family.schema("parent")


def test_a_replaced_constraint_is_replaced(family: Project) -> None:
    family.batch(
        "drop_constraint('short_code')", "create_check_constraint('short_code', 'code <> 1')"
    )
    assert family.schema("parent").count("short_code") == 1
    assert "CONSTRAINT short_code CHECK (code <> 1)" in family.schema("parent")
    replace = ("drop_index('by_amount')", "create_index('by_amount', ['amount', 'name'])")
    family.batch(*replace, recreate="'always'")
    assert "(amount, name)" in family.schema("by_amount")


def test_a_foreign_key_may_get_another_action(project: Project) -> None:
    project.existing(
        "CREATE TABLE p (id INTEGER PRIMARY KEY)\n\n"
        "CREATE TABLE t (p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)"
    )
    project.batch(
        "drop_constraint('fk')",
        "create_foreign_key('fk', 'p', ['p'], ['id'], ondelete='SET NULL')",
        table="t",
    )
    assert "ON DELETE SET NULL" in project.schema("t")
    assert "CASCADE" not in project.schema("t")


def test_autoincrement_goes_when_it_is_told_to(family: Project) -> None:
    family.batch(recreate="'always'", table_kwargs='{"sqlite_autoincrement": False}')
    assert "AUTOINCREMENT" not in family.schema("parent")
    family.batch(recreate="'always'", table_kwargs='{"sqlite_autoincrement": True}')
    assert "AUTOINCREMENT" in family.schema("parent")


def test_checks_without_a_name_that_are_restated_replace_those_there_were(family: Project) -> None:
    family.batch(recreate="'always'", table_args="(sa.CheckConstraint('amount > -1'),)")
    assert family.schema("parent").count("CHECK") == 2
    assert "CHECK (amount > -1)" in family.schema("parent")
    assert "CONSTRAINT short_code" in family.schema("parent")


def test_a_generated_column_may_be_dropped(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT, b INT AS (a + 1), c TEXT CHECK (c <> ''))\n\n"
        "INSERT INTO t VALUES (1, 'c')"
    )
    project.batch("drop_column('b')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a INT, c TEXT CHECK (c <> '') )"
    assert project.sql("SELECT * FROM t") == [(1, "c")]


def test_indexes_and_keys_of_nothing_but_a_dropped_column_go_with_it(project: Project) -> None:
    project.existing(
        "CREATE TABLE p (id INTEGER PRIMARY KEY)\n\n"
        "CREATE TABLE t (a INT, b INT UNIQUE CHECK (b > 0) REFERENCES p (id), UNIQUE (b))\n\n"
        "CREATE INDEX on_b ON t (b)\n\nCREATE INDEX on_a ON t (a)\n\n"
        "CREATE INDEX on_abs_b ON t (abs(b)) WHERE b > 0"
    )
    project.batch("drop_column('b')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a INT )"
    assert project.names() >= {"on_a"}
    assert not project.names() & {"on_b", "on_abs_b"}


@pytest.mark.parametrize(
    ("ddl", "lost", "hint"),
    [
        ("CREATE INDEX ix ON t (lower(a || b))", "expression index ix", "DROP INDEX ix"),
        ("CREATE INDEX ix ON t (a) WHERE b > 0", "partial index ix", "batch_op.drop_index('ix')"),
        ("CREATE INDEX ix ON t (a, b)", "index ix of t", "batch_op.drop_index('ix')"),
        ("CREATE VIEW v AS SELECT a, b FROM t", "view v", "DROP VIEW"),
        ('CREATE VIEW v AS SELECT a, "b" FROM t', "view v", "DROP VIEW"),
        ("CREATE VIEW w AS SELECT * FROM t\n\nCREATE VIEW v AS SELECT b FROM w", "view v", "DROP"),
        ('CREATE VIEW w AS SELECT * FROM t\n\nCREATE VIEW v AS SELECT "b" FROM w', "view v", "b"),
        (
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = 1 WHERE b = 2; END",
            "trigger tr of t",
            "DROP TRIGGER",
        ),
        ("CREATE TRIGGER tr UPDATE OF a, b ON t BEGIN SELECT 1; END", "trigger tr", "DROP TRIGGER"),
        (
            "CREATE TABLE o (x)\n\n"
            "CREATE TRIGGER tr AFTER DELETE ON o BEGIN DELETE FROM t WHERE b = OLD.x; END",
            "trigger tr of o",
            "DROP TRIGGER",
        ),
    ],
)
def test_what_names_a_dropped_column_must_be_dropped_first(
    project: Project, ddl: str, lost: str, hint: str
) -> None:
    project.existing(f"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT)\n\n{ddl}")
    said = project.refused("drop_column('b')", table="t")
    assert f"this would be lost: {lost}" in said
    assert hint in said


@pytest.mark.parametrize(
    ("body", "lost", "hint"),
    [
        ("CHECK (a < b)", "CHECK (a < b) of t", "table_args"),
        ("CONSTRAINT ck CHECK (a < b)", "CHECK ck of t", "batch_op.drop_constraint('ck')"),
        ("CONSTRAINT uq UNIQUE (a, b)", "UNIQUE uq of t", "batch_op.drop_constraint('uq')"),
        ("UNIQUE (a, b)", "UNIQUE (a, b) of t", "naming_convention"),
        ("FOREIGN KEY (a, b) REFERENCES o (x, y)", "FOREIGN KEY (a, b)", "naming_convention"),
        ("c INT CHECK (c <> b)", "CHECK (c <> b) of t", "table_args"),
        ("c INT AS (b + 1)", "AS (b + 1) of t", "generated column"),
    ],
)
def test_constraints_of_a_dropped_and_another_column_must_be_dropped_first(
    project: Project, body: str, lost: str, hint: str
) -> None:
    project.existing(
        "CREATE TABLE o (x INT, y INT, PRIMARY KEY (x, y))\n\n"
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT, {body})"
    )
    said = project.refused("drop_column('b')", table="t")
    assert f"this would be lost: {lost}" in said
    assert hint in said


@pytest.mark.parametrize(
    ("body", "drop", "arguments"),
    [
        ("CONSTRAINT ck CHECK (a < b)", "drop_constraint('ck')", {}),
        ("CONSTRAINT uq UNIQUE (a, b)", "drop_constraint('uq')", {}),
        ("UNIQUE (a, b)", "drop_constraint('u_a')", {"naming_convention": "{'uq': 'u_a'}"}),
        ("CHECK (a < b)", "alter_column('a')", {"table_args": "(sa.CheckConstraint('1'),)"}),
    ],
)
def test_the_way_out_that_is_named_works(
    project: Project, body: str, drop: str, arguments: dict[str, str]
) -> None:
    project.existing(f"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT, {body})")
    project.batch(drop, "drop_column('b')", table="t", **arguments)
    assert project.schema("t").startswith("CREATE TABLE t ( id INTEGER PRIMARY KEY, a INT")
    assert "b" not in project.schema("t").removeprefix("CREATE TABLE")


@pytest.mark.parametrize(
    ("dropped", "body"),
    [
        ("b", "CONSTRAINT ck CHECK (b > 0)"),
        ("b", "CHECK (b IN ('x', 'y'))"),
        ("b", "CHECK (length(t.b) < 9 AND b NOT LIKE 'a%')"),
        ("b", "c INT CHECK (b > 0)"),
    ],
)
def test_a_check_of_nothing_but_a_dropped_column_goes_with_it(
    project: Project, dropped: str, body: str
) -> None:
    project.existing(f"CREATE TABLE t (a INT, {dropped} INT, {body})")
    project.batch(f"drop_column({dropped!r})", table="t")
    assert "CHECK" not in project.schema("t")


def test_a_check_goes_with_all_of_its_columns(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT, b INT, c INT, CHECK (b < c), CHECK (a > 0))")
    project.batch("drop_column('b')", "drop_column('c')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a INT, CHECK (a > 0) )"


@pytest.mark.parametrize(
    ("dropped", "rule"),
    [
        ("b", "CONSTRAINT b CHECK (a > 0)"),
        ("b", "CHECK (a <> 'b')"),
        ("b", "CHECK (a <> '\"b\"')"),
        ("text", "CHECK (CAST(a AS text) <> '')"),
        ("length", "CHECK (length(a) > 0)"),
        ("nocase", "CHECK (a <> 'x' COLLATE nocase)"),
        ("and", "CHECK (a > 0 AND a < 9)"),
        ("like", "CHECK (a NOT LIKE 'x%')"),
        ("stored", "c INT AS (a + 1) STORED"),
        ("conflict", "CONSTRAINT ck UNIQUE (a) ON CONFLICT IGNORE"),
    ],
)
def test_a_constraint_that_only_seems_to_name_a_dropped_column_is_kept(
    project: Project, dropped: str, rule: str
) -> None:
    project.existing(f'CREATE TABLE t (a INT, "{dropped}" INT, {rule})')
    project.batch(f"drop_column({dropped!r})", table="t")
    assert project.schema("t") == f"CREATE TABLE t ( a INT, {rule} )".replace('"', "")


@pytest.mark.parametrize(
    ("dropped", "index"),
    [
        ("nocase", "(a COLLATE nocase)"),
        ("desc", "(a DESC)"),
        ("b", "(a) WHERE a <> 'b'"),
        ("text", "(CAST(a AS text))"),
        ("end", "(CASE a WHEN 1 THEN 2 ELSE 3 END)"),
    ],
)
def test_an_index_that_only_seems_to_name_a_dropped_column_is_kept(
    project: Project, dropped: str, index: str
) -> None:
    project.existing(f'CREATE TABLE t (a INT, "{dropped}" INT)\n\nCREATE INDEX ix ON t {index}')
    project.batch(f"drop_column({dropped!r})", table="t")
    assert project.schema("ix") == f"CREATE INDEX ix ON t {index}"


MANY = """
CREATE TABLE o (x INT, y INT, PRIMARY KEY (x, y))

CREATE TABLE t (
    a INT, b INT, c INT CHECK (c <> b), CONSTRAINT ck CHECK (a < b), CONSTRAINT uq UNIQUE (a, b),
    UNIQUE (b, c), CHECK (a > 0), FOREIGN KEY (a, b) REFERENCES o (x, y)
)

CREATE INDEX ix ON t (a, b)

CREATE INDEX ex ON t (abs(a - b))

CREATE INDEX kept ON t (a)
"""


def test_everything_that_would_be_lost_is_named_with_the_lines_that_drop_it(
    project: Project,
) -> None:
    project.existing(MANY)
    said = project.refused("drop_column('b')", table="t")
    assert (
        "say so in the same batch: batch_op.drop_constraint('ck'), batch_op.drop_constraint('uq'),"
        " batch_op.drop_index('ix'); "
    ) in said
    assert "say so before the batch: op.execute('DROP INDEX ex')" in said
    assert said.count("/* loses: ") == 1


def test_what_a_comment_allows_goes_with_a_column_and_nothing_else_does(
    project: Project,
) -> None:
    project.existing(MANY)
    said = project.refused("drop_column('b')", table="t")
    comment = said[said.index("/* loses:") : said.rindex("*/") + 2]
    drop = "with op.batch_alter_table('t') as batch_op:\n    batch_op.drop_column('b')"
    project.refused_body(f"op.execute({comment.replace('CHECK ck of t; ', '')!r})\n{drop}")
    project.revision(f"op.execute({comment!r})\n{drop}")
    project.upgrade()
    assert project.schema("t") == "CREATE TABLE t ( a INT, c INT, CHECK (a > 0) )"
    assert project.names() >= {"kept"}
    assert not project.names() & {"ix", "ex"}


def test_a_generated_column_cannot_go_by_a_comment(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT, b INT, c INT AS (b + 1))")
    comment = "/* loses: AS (b + 1) of t */"
    body = f"op.execute({comment!r})\nwith op.batch_alter_table('t') as batch_op:\n"
    said = project.refused_body(f"{body}    batch_op.drop_column('b')")
    assert "this would be lost: AS (b + 1) of t" in said
    assert "/* loses:" not in said


def test_a_type_that_forbids_autoincrement_is_refused(family: Project) -> None:
    said = family.refused("alter_column('id', type_=sa.BigInteger())")
    assert "this would be lost: AUTOINCREMENT of parent" in said
    assert "leave id INTEGER" in said


def test_a_type_with_which_a_key_gives_no_numbers_any_more_is_refused(project: Project) -> None:
    project.existing("CREATE TABLE t (id INTEGER PRIMARY KEY, a)\n\nINSERT INTO t VALUES (5, 'x')")
    change = "alter_column('id', type_=sa.BigInteger())"
    said = project.refused(change, table="t")
    assert "this would be lost: INTEGER PRIMARY KEY of t | " in said
    assert "leave id INTEGER, which has 64 bits on SQLite" in said
    integer = "sa.BigInteger().with_variant(sa.Integer(), 'sqlite')"
    project.batch(f"alter_column('id', type_={integer})", table="t")
    project.sql("INSERT INTO t (a) VALUES ('y')")
    assert project.sql("SELECT id FROM t") == [(5,), (6,)]
    way_out = said[said.index("batch_op.") :].removeprefix("batch_op.")
    assert way_out == "create_primary_key('pk', ['id'])"
    project.batch(change, way_out, table="t")
    assert "id BIGINT" in project.schema("t")
    assert "CONSTRAINT pk PRIMARY KEY (id)" in project.schema("t")


def test_the_check_of_a_boolean_is_not_lost_by_a_rename(project: Project) -> None:
    project.existing("CREATE TABLE t (f BOOLEAN, CONSTRAINT is_bool CHECK (f IN (0, 1)))")
    boolean = "sa.Boolean(create_constraint=True, name='is_bool')"
    rename = f"alter_column('f', new_column_name='g', existing_type={boolean})"
    assert "this would be lost: CHECK is_bool of t" in project.refused(rename, table="t")
    project.batch("alter_column('f', new_column_name='g')", table="t")
    assert "CONSTRAINT is_bool CHECK (g IN (0, 1))" in project.schema("t")


def test_the_check_of_a_boolean_is_not_lost_by_a_rename_beside_another_check(
    project: Project,
) -> None:
    project.existing("CREATE TABLE t (f BOOLEAN, a INT, CONSTRAINT is_bool CHECK (f IN (0, 1)))")
    boolean = "sa.Boolean(create_constraint=True, name='is_bool')"
    said = project.refused(
        f"alter_column('f', new_column_name='g', existing_type={boolean})",
        "create_check_constraint('positive', 'a > 0')",
        table="t",
    )
    assert "this would be lost: CHECK is_bool of t" in said
    said = project.refused(
        f"alter_column('f', new_column_name='g', existing_type={boolean})",
        "create_unique_constraint('one_of_each', ['f'])",
        table="t",
    )
    assert "this would be lost: CHECK is_bool of t" in said
    project.batch(
        f"alter_column('f', new_column_name='g', existing_type={boolean})",
        "create_check_constraint('is_bool', 'g IN (0, 1)')",
        table="t",
    )
    assert "CONSTRAINT is_bool CHECK (g IN (0, 1))" in project.schema("t")
    project.batch(
        f"alter_column('g', new_column_name='h', existing_type={boolean})",
        "create_check_constraint('is_bool', 'h BETWEEN 0 AND 1')",
        table="t",
    )
    assert "CONSTRAINT is_bool CHECK (h BETWEEN 0 AND 1)" in project.schema("t")
    assert "IN (0, 1)" not in project.schema("t")


@pytest.mark.parametrize(
    ("new", "expected", "row"),
    [
        ("sa.Computed('a + 2')", "INTEGER GENERATED ALWAYS AS (a + 2)", (1, 3)),
        ("server_default='7'", "INTEGER DEFAULT '7'", (1, 7)),
    ],
)
@pytest.mark.parametrize("name", ["b", "B"])
def test_a_generated_column_may_get_another_expression_or_become_a_plain_one(
    project: Project, new: str, expected: str, row: tuple[int, int], name: str
) -> None:
    project.existing("CREATE TABLE t (a INT, b INT AS (a + 1))\n\nINSERT INTO t VALUES (1)")
    column = f"sa.Column({name!r}, sa.Integer(), {new})"
    project.batch("drop_column('b')", f"add_column({column})", table="t")
    assert f"{name} {expected}" in project.schema("t")
    assert project.sql("SELECT * FROM t") == [row]


def test_a_column_that_copy_from_forgets_is_not_lost(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT, b TEXT)\n\nINSERT INTO t VALUES (1, 'x')")
    known = "sa.Table('t', sa.MetaData(), sa.Column('a', sa.Integer()))"
    said = project.refused("alter_column('a', nullable=False)", table="t", copy_from=known)
    assert "this would be lost: column b of t" in said
    assert "copy_from" in said


def test_a_naming_convention_gives_names_that_last(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE ON CONFLICT REPLACE,"
        " p INT REFERENCES t ON DELETE CASCADE)"
    )
    convention = "{'fk': 'fk_%(table_name)s_%(column_0_name)s', 'uq': 'uq_%(column_0_name)s'}"
    project.batch(table="t", recreate="'always'", naming_convention=convention)
    assert project.schema("t") == (
        "CREATE TABLE t ( id INTEGER PRIMARY KEY, a TEXT, p INT,"
        " CONSTRAINT uq_a UNIQUE (a) ON CONFLICT REPLACE,"
        " CONSTRAINT fk_t_p FOREIGN KEY (p) REFERENCES t (id) ON DELETE CASCADE )"
    )
    project.batch("drop_constraint('fk_t_p')", "drop_constraint('uq_a')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( id INTEGER PRIMARY KEY, a TEXT, p INT )"


def test_a_name_that_is_not_the_column_is_no_reason_to_refuse(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT, b INT)\n\nCREATE INDEX b ON t (a) WHERE a > 0\n\n"
        'CREATE VIEW v AS SELECT a AS "b" FROM t\n\n'
        'CREATE TABLE o (b)\n\nCREATE VIEW w AS SELECT "b" FROM o\n\n'
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO o VALUES (NEW.a); END"
    )
    before = project.objects()
    project.batch("drop_column('b')", table="t")
    assert project.objects() == before


def test_a_constraint_behind_a_generated_column_is_dropped(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a + 1), CONSTRAINT ck CHECK (a > 0))"
    )
    project.batch("drop_constraint('ck')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a INT, b INT GENERATED ALWAYS AS (a + 1) )"


def test_a_column_behind_a_generated_column_is_dropped(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a + 1), c INT DEFAULT (2), d TEXT)"
    )
    project.batch("drop_column('c')", table="t")
    assert project.schema("t") == (
        "CREATE TABLE t ( a INT, b INT GENERATED ALWAYS AS (a + 1), d TEXT )"
    )


def test_a_column_that_must_not_be_null_does_not_say_that_it_may(project: Project) -> None:
    project.existing("CREATE TABLE t (a TEXT NULL COLLATE NOCASE)")
    project.batch("alter_column('a', nullable=False)", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a TEXT COLLATE NOCASE NOT NULL )"


def test_rows_that_a_conflict_clause_swallows_are_missed(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT, b INT)\n\nINSERT INTO t VALUES (1, 1), (1, 2), (2, 3)")
    unique = "create_unique_constraint('u', ['a'], sqlite_on_conflict='IGNORE')"
    said = project.refused(unique, table="t")
    assert "this would be lost: 1 of 3 rows of t" in said
    assert "DELETE in a statement of their own before" in said


def test_another_primary_key_must_say_whether_it_autoincrements(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (id INTEGER CONSTRAINT pk PRIMARY KEY AUTOINCREMENT)\n\n"
        "INSERT INTO t VALUES (5)\n\nDELETE FROM t"
    )
    rename = ("drop_constraint('pk')", "create_primary_key('key', ['id'])")
    said = project.refused(*rename, table="t")
    assert "this would be lost: AUTOINCREMENT of t" in said
    assert 'table_kwargs={"sqlite_autoincrement": True}' in said
    project.batch(*rename, table="t", table_kwargs='{"sqlite_autoincrement": False}')
    assert "CONSTRAINT key PRIMARY KEY (id)" in project.schema("t")


def test_a_collation_that_a_batch_gives_is_taken_over(project: Project) -> None:
    project.existing("CREATE TABLE t (a TEXT COLLATE RTRIM, b TEXT)")
    project.batch(
        "alter_column('a', type_=sa.String(9, collation='NOCASE'))",
        "alter_column('b', type_=sa.String(9, collation='NOCASE'))",
        table="t",
    )
    assert project.schema("t") == (
        "CREATE TABLE t ( a VARCHAR(9) COLLATE NOCASE, b VARCHAR(9) COLLATE NOCASE )"
    )
