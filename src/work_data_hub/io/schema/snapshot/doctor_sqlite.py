"""A check-up of a SQLite database: its rows, its foreign keys, and the file itself."""

# ruff: noqa: S608  # every name is quoted

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.checkup import (
    Diagnosis,
    NotLookedAtError,
    Repair,
    counted,
    damaged,
    ill,
    listed,
    worth_knowing,
)
from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.text import folded
from work_data_hub.io.schema.snapshot.doctor_look import COUNT_LIMIT
from work_data_hub.io.schema.snapshot.doctor_postgresql import temporary_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.io.schema.snapshot.doctor_look import Look

_BATCH = "_alembic_tmp_"
_NOT_OF_BATCH = f"substr(t.name, 1, {len(_BATCH)}) <> '{_BATCH}'"
_TABLES = """
SELECT name, sql FROM main.sqlite_master AS t WHERE type = 'table' AND sql IS NOT NULL
    AND name NOT LIKE 'sqlite@_%' ESCAPE '@'
    AND name NOT IN (SELECT name FROM pragma_table_list WHERE type IN ('shadow', 'virtual'))
ORDER BY name
"""
_REFERENCES = f"""
SELECT t.name, key.id, key."table", key."from", key."to"
FROM main.sqlite_master AS t, pragma_foreign_key_list(t.name, 'main') AS key
WHERE t.type = 'table' AND {_NOT_OF_BATCH} ORDER BY t.name, key.id, key.seq
"""
_SHOWN_FAULTS = 10


class _Reference(NamedTuple):
    """A foreign key: the columns of a table, and those of the table that they reference."""

    table: str
    number: int
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{quoted(self.table)} ({', '.join(map(quoted, self.columns))})"

    @property
    def broken_rows(self) -> str:
        """A query of the rows that reference nothing."""
        needs = [f"child.{quoted(column)} IS NOT NULL" for column in self.columns]
        pairs = zip(self.target_columns, self.columns, strict=True)
        same = [f"parent.{quoted(to)} = child.{quoted(of)}" for to, of in pairs]
        return (
            f"SELECT child.* FROM {quoted(self.table)} AS child WHERE {' AND '.join(needs)} AND"
            f" NOT EXISTS (SELECT 1 FROM {quoted(self.target)} AS parent"
            f" WHERE {' AND '.join(same)})"
        )


def check_sqlite(look: Look) -> Iterator[Diagnosis]:
    """Yield what is unhealthy."""
    yield from look.check("the file", _integrity)
    yield from look.check("foreign keys", _references)
    yield from look.check("tables of Alembic's batches", _temporary_tables)
    yield from look.check("AUTOINCREMENT", _counters)


def _integrity(look: Look) -> Iterator[Diagnosis]:
    try:
        rows = look.rows(f"PRAGMA main.integrity_check({_SHOWN_FAULTS})")
    except NotLookedAtError:
        # Of a large file; this one does not compare indexes with their tables.
        rows = look.rows(f"PRAGMA main.quick_check({_SHOWN_FAULTS})")
    faults = [row[0] for row in rows if row[0] != "ok"]
    if faults:
        first = " ".join(faults[0].split())
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        yield damaged(f"SQLite's integrity_check says: {first}{more}")


def _references(look: Look) -> Iterator[Diagnosis]:
    for reference in _all_references(look):
        target = look.rows(
            "SELECT 1 FROM main.sqlite_master WHERE type = 'table'"
            f" AND lower(name) = lower({_literal(reference.target)})"
        )
        if not target:
            yield ill(
                "reference-mismatch",
                f"{reference} references {quoted(reference.target)}, which is not there: no row"
                " can be written",
                "make that table, or drop the foreign key, by a revision: `wdh db new MESSAGE`",
            )
        elif not _is_unique(look, reference):
            name = quoted("_".join(["uq", reference.target, *reference.target_columns]))
            columns = ", ".join(map(quoted, reference.target_columns))
            yield ill(
                "reference-mismatch",
                f"{reference} references what is not unique in {quoted(reference.target)}: rows"
                " cannot be written",
                f"`CREATE UNIQUE INDEX {name} ON {quoted(reference.target)} ({columns})`",
            )
        else:
            yield from _violations(look, reference)
        if not _has_index(look, reference.table, reference.columns):
            name = quoted("_".join(["ix", reference.table, *reference.columns]))
            yield worth_knowing(
                "unindexed-reference",
                f"the foreign key of {reference} has no index: what is deleted from"
                f" {quoted(reference.target)} reads all of {quoted(reference.table)}",
                f"`CREATE INDEX {name} ON {reference}`, best by a revision",
            )


def _all_references(look: Look) -> Iterator[_Reference]:
    for (table, number), rows in groupby(look.rows(_REFERENCES), lambda row: (row[0], row[1])):
        found = [*rows]
        target = found[0][2]
        # Without columns the primary key is referenced.
        key = () if found[0][4] else _primary_key(look, target)
        columns = key or tuple(row[4] or row[3] for row in found)
        yield _Reference(table, number, tuple(row[3] for row in found), target, columns)


def _violations(look: Look, reference: _Reference) -> Iterator[Diagnosis]:
    found = look.rows(
        f"SELECT rowid FROM pragma_foreign_key_check({_literal(reference.table)}, 'main')"
        f" WHERE fkid = {reference.number} LIMIT {COUNT_LIMIT + 1}"
    )
    if found:
        numbers = [str(row[0]) for row in found if row[0] is not None]
        which = f" (rowid {listed(numbers)})" if numbers else ""
        yield ill(
            "foreign-key-violations",
            f"{counted(len(found), COUNT_LIMIT, 'row')} of {reference} reference"
            f"{'s' * (len(found) == 1)} no row of {quoted(reference.target)}{which}",
            f"correct what `{reference.broken_rows}` shows, or add what it references",
        )


def _is_unique(look: Look, reference: _Reference) -> bool:
    wanted = {*map(folded, reference.target_columns)}
    if {*map(folded, _primary_key(look, reference.target))} == wanted:
        return True
    return any(
        is_unique and {*map(folded, columns)} == wanted
        for columns, is_unique in _indexes(look, reference.target)
    )


def _has_index(look: Look, table: str, columns: Sequence[str]) -> bool:
    wanted = {*map(folded, columns)}
    keys = [_primary_key(look, table), *(columns for columns, _ in _indexes(look, table))]
    return any({*map(folded, key[: len(columns)])} == wanted for key in keys)


def _primary_key(look: Look, table: str) -> tuple[str, ...]:
    query = (
        f"SELECT name FROM pragma_table_info({_literal(table)}, 'main') WHERE pk > 0 ORDER BY pk"
    )
    return tuple(name for (name,) in look.rows(query))


def _indexes(look: Look, table: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the columns of each whole index up to the first expression, and is it unique."""
    rows = look.rows(
        'SELECT i.name, i."unique", part.name'
        f" FROM pragma_index_list({_literal(table)}, 'main') AS i,"
        " pragma_index_info(i.name, 'main') AS part"
        " WHERE NOT i.partial ORDER BY i.name, part.seqno"
    )
    for (_, is_unique), parts in groupby(rows, lambda row: (row[0], row[1])):
        yield tuple(part[2] or "" for part in parts), bool(is_unique)


def _temporary_tables(look: Look) -> Iterator[Diagnosis]:
    tables = [name for name, _ in look.rows(_TABLES)]
    for name in tables:
        if not name.startswith(_BATCH):
            continue
        # Alembic cuts the name (`_calc_temp_name`).
        original = next((each for each in tables if f"{_BATCH}{each}"[:50] == name), None)
        is_empty = not look.value(f"SELECT EXISTS (SELECT 1 FROM main.{quoted(name)})")
        yield temporary_table(
            quoted(name),
            original and quoted(original),
            f"ALTER TABLE {quoted(name)} RENAME TO {quoted(name.removeprefix(_BATCH))}",
            is_empty=is_empty,
        )


def _counters(look: Look) -> Iterator[Diagnosis]:
    """Yield the counters that are behind their tables: numbers of deleted rows come again."""
    for table, sql in look.rows(_TABLES):
        is_counted = any(token.word == "AUTOINCREMENT" for token in tokens(sql))
        if not is_counted or table.startswith(_BATCH):
            continue
        (key,) = _primary_key(look, table)
        largest = f"SELECT max({quoted(key)}) FROM {quoted(table)}"
        row = f"name = {_literal(table)}"
        highest = look.value(largest)
        counters = look.rows(f"SELECT seq FROM main.sqlite_sequence WHERE {row}")
        if highest is None or (counters and counters[0][0] >= highest):
            continue
        if counters:
            statement = f"UPDATE sqlite_sequence SET seq = ({largest}) WHERE {row}"
            statement += f" AND seq < ({largest})"
        else:
            statement = (
                f"INSERT INTO sqlite_sequence (name, seq)"
                f" SELECT {_literal(table)}, max({quoted(key)}) FROM {quoted(table)}"
            )
        yield worth_knowing(
            "sequence-behind",
            f"the AUTOINCREMENT counter of {quoted(table)} is at"
            f" {counters[0][0] if counters else 0}, and {quoted(key)} has {highest} already: when"
            " the newest rows are deleted, their numbers are given again",
            f"`{statement}`",
            Repair("sequence-behind", statement),
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
