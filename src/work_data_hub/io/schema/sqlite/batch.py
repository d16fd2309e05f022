"""Alembic's own table rebuild (batch_alter_table), made to keep what its reflection misses."""

from __future__ import annotations

import sqlite3
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy.schema import CheckConstraint, CreateTable

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.domain.sqlite import ddl as sqlite_ddl
from work_data_hub.domain.sqlite import merge as sqlite_merge
from work_data_hub.domain.sqlite.census import (
    kept_indexes,
    missing_rows,
    new_faults,
    silent_faults,
)
from work_data_hub.domain.sqlite.column_names import renames, with_names
from work_data_hub.domain.sqlite.loss import refuse
from work_data_hub.domain.sqlite.merge import Wishes
from work_data_hub.domain.sqlite.rowids import key_of, moved, moved_rows, name_of_rowid
from work_data_hub.domain.sqlite.text import folded
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.sqlite import census as sqlite_census

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_data_hub.domain.sqlite.loss import Consent, Loss


class BatchRebuild:
    """One rebuild, from the moment before Alembic's CREATE TABLE to the one after its RENAME.

    Columns keep their names until the table has its own again, and are renamed by SQLite then:
    its RENAME COLUMN rewrites triggers, views, indexes, CHECKs and the foreign keys of other
    tables (sqlite.org/lang_altertable), where a rebuild would break them.

    Args:
        raw: the driver's connection.
        batch: what Alembic hands to ``prep_table_for_batch``.
        consent: what the revision says that may go.

    Raises:
        RefusedError: something would be lost, or stands in the way.
    """

    def __init__(self, raw: sqlite3.Connection, batch: ApplyBatchImpl, consent: Consent) -> None:
        self._raw = raw
        self.temporary = str(batch.temp_table_name)
        _refuse_what_stands_in_the_way(raw, batch)
        self._census = sqlite_census.take(raw, str(batch.table.name))
        self.table = self._census.table
        self._original = sqlite_census.parsed(self._census.sql, self.table)
        self._new_names = _new_names(batch)
        self._dropped = {column.name for column in batch.table.c} - set(batch.columns)
        self._merged, losses = self._merge(batch)
        not_wanted = {str(index.name) for index in batch.table.indexes}
        not_wanted -= set(map(str, batch.indexes))
        self._indexes, lost_indexes = kept_indexes(self._census, not_wanted, self._dropped)
        consent.refuse([*losses, *lost_indexes])
        # Alembic would make those that it saw a second time, and without WHERE, DESC or COLLATE.
        batch.indexes.clear()

    def rewritten(self, statement: str) -> str:
        """Return what is executed in place of a statement of Alembic's."""
        word = statement.split(maxsplit=1)[0].upper()
        if word == "CREATE":
            return sqlite_ddl.render(self._merged)
        if word == "ALTER":
            # The batch may have been asked for in another case than the table's own.
            return f"ALTER TABLE {quoted(self.temporary)} RENAME TO {quoted(self.table)}"
        if word != "INSERT":
            return statement
        old_names = {new: old for old, new in self._new_names.items()}
        generated = [c.name for c in self._merged.columns if c.clause("GENERATED") is not None]
        return sqlite_ddl.insert_into(
            statement,
            old_names,
            {self._new_names.get(name, name) for name in generated},
            self._numbers(),
        )

    def finish(self) -> set[tuple[str, str]]:
        """Bring back what went with the old table; the new one has its name by now.

        Returns:
            Kind and name of what was made again.

        Raises:
            RefusedError: something would be lost.
        """
        refuse(missing_rows(self._census, sqlite_census.rows_left(self._raw, self._census)))
        if self._merged.autoincrements:
            sqlite_census.restore_sequence(self._raw, self.table, self._census.sequence)
        made = [("INDEX", index.name, index.sql) for index in self._indexes]
        made += [("TRIGGER", name, sql) for name, sql in self._census.triggers.items()]
        lost = [sqlite_census.restore(self._raw, *item, self.table) for item in made]
        refuse([loss for loss in lost if loss is not None])
        dependents = sqlite_census.dependents(self._raw)
        virtual = [each for each in dependents if each.kind == "virtual table"]
        refuse(
            [
                *self._moved_rows(),
                *new_faults(self._census, sqlite_census.faults(self._raw)),
                *silent_faults(dependents, self.table, self._dropped),
                # SQLite renames columns in everything but these.
                *silent_faults(virtual, self.table, self._new_names),
            ]
        )
        self._rename_columns()
        return {(kind, name) for kind, name, _ in made}

    def _numbers(self) -> list[str]:
        """Return what is to be copied besides, so that rows keep the numbers that no column is."""
        number = name_of_rowid(self._original, self._merged)
        return [] if number is None or self._merged.rowid_alias is not None else [number]

    def _moved_rows(self) -> Iterable[Loss]:
        census = self._census
        if self._numbers() or not census.found_by:
            return
        after = sqlite_census.rowids_of(
            self._raw, replace(self._merged, name=self.table), key_of(self._original)
        )
        if moved(census.rowids, after):
            yield moved_rows(self.table, census.found_by)

    def _merge(self, batch: ApplyBatchImpl) -> tuple[sqlite_ddl.Table, Sequence[Loss]]:
        base, wanted = _base_and_wanted(batch)
        old_names = {new: old for old, new in self._new_names.items()}
        return sqlite_merge.merge(
            self._original,
            sqlite_census.parsed(base, self.table),
            with_names(sqlite_census.parsed(wanted, self.table), old_names, itself=self.table),
            Wishes(
                dropped=frozenset(self._dropped),
                replaced=frozenset(_replaced(batch)),
                renamed=frozenset(self._new_names),
                constraints=frozenset(map(str, batch.named_constraints)),
                autoincrement=_wished_autoincrement(batch),
                checks_restated=any(isinstance(a, CheckConstraint) for a in batch.table_args),
            ),
        )

    def _rename_columns(self) -> None:
        present = [column.name for column in self._merged.columns]
        for old, new in renames(self._new_names, present):
            try:
                self._raw.execute(
                    f"ALTER TABLE main.{quoted(self.table)}"
                    f" RENAME COLUMN {quoted(old)} TO {quoted(new)}"
                )
            except sqlite3.Error as error:
                raise RefusedError(
                    f"{self.table}.{old} cannot be renamed to {new}: {error}",
                    hint="correct or drop first what the message names",
                ) from error


def planned(
    raw: sqlite3.Connection, batch: ApplyBatchImpl, consent: Consent
) -> BatchRebuild | None:
    """Return the rebuild that Alembic is about to do; None of a temporary table.

    Raises:
        RefusedError: something would be lost, or stands in the way.
    """
    table, schema = str(batch.table.name), batch.table.schema
    if schema not in (None, "main", "temp"):
        raise RefusedError(
            f"{schema}.{table} is in an attached database: its triggers would be lost",
            hint="migrate that database by a run of its own",
        )
    if schema == "temp" or not sqlite_census.exists(raw, table):
        return None
    return BatchRebuild(raw, batch, consent)


def refuse_left_overs(raw: sqlite3.Connection, temporaries: Iterable[str]) -> None:
    """Refuse to commit the table of a rebuild that did not end.

    Raises:
        RefusedError: names the table.
    """
    for name in temporaries:
        if sqlite_census.exists(raw, name):
            raise RefusedError(
                f"the revision would leave the table {name} behind",
                hint="do not catch the error of a batch operation; correct its cause",
            )


class _Untyped(sa.types.UserDefinedType[Any]):
    """Stands for a type that Alembic cannot write: none, or the one of a generated column."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "UNTYPED"


def _refuse_what_stands_in_the_way(raw: sqlite3.Connection, batch: ApplyBatchImpl) -> None:
    if sqlite_census.exists(raw, batch.temp_table_name):
        raise RefusedError(
            f"{batch.temp_table_name} is in the way: a migration that was not run by this package"
            " left it",
            hint=f"look at its rows; when {batch.table.name} has them, drop it:"
            f' DROP TABLE "{batch.temp_table_name}"',
        )
    for name in _replaced(batch) & set(batch.existing_ordering):
        raise RefusedError(
            f"{batch.table.name}.{name} would be lost: a column of its name is added",
            hint="drop or rename it in a batch of its own, before",
        )


def _replaced(batch: ApplyBatchImpl) -> set[str]:
    """Return the columns in place of which others of their names are added."""
    known = {folded(column.name) for column in batch.table.c}
    added = (name for name, how in batch.column_transfers.items() if "expr" not in how)
    return {name for name in added if folded(name) in known}


def _new_names(batch: ApplyBatchImpl) -> dict[str, str]:
    known = {column.name for column in batch.table.c}
    return {
        old: column.name
        for old, column in batch.columns.items()
        if old in known and column.name != old
    }


def _base_and_wanted(batch: ApplyBatchImpl) -> tuple[str, str]:
    """Return the CREATE TABLE of a rebuild that changes nothing, and of this one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said already, and about what is kept
        unchanged = ApplyBatchImpl(batch.impl, batch.table, (), {}, batch.reflected)
        unchanged._transfer_elements_to_new_table()  # noqa: SLF001  # what _create() begins with
    base, wanted = unchanged.new_table, batch.new_table
    assert base is not None
    assert wanted is not None
    for old, column in batch.columns.items():
        if old in unchanged.columns:
            _make_writable(unchanged.columns[old], column)
    dialect = batch.impl.dialect
    return (
        str(CreateTable(base).compile(dialect=dialect)),
        str(CreateTable(wanted).compile(dialect=dialect)),
    )


def _make_writable(base: sa.Column[Any], wanted: sa.Column[Any]) -> None:
    """Put a placeholder where both hold what reflection could not read, so that they stay alike.

    Columns without a type cannot be compiled; the expression of a generated column is found by a
    pattern that may run on into the following columns (SQLAlchemy's SQLite dialect).
    """
    for column in (base, wanted):
        if isinstance(column.type, sa.types.NullType):
            column.type = _Untyped()
    if (
        base.computed is not None
        and wanted.computed is not None
        and str(base.computed.sqltext) == str(wanted.computed.sqltext)
    ):
        base.computed.sqltext = wanted.computed.sqltext = sa.text("0")


def _wished_autoincrement(batch: ApplyBatchImpl) -> bool | None:
    wish = batch.table_kwargs.get("sqlite_autoincrement")
    return None if wish is None else bool(wish)
