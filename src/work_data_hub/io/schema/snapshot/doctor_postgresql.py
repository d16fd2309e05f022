"""A check-up of a PostgreSQL database: what its catalogue says that is unhealthy."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.checkup import (
    Diagnosis,
    NotLookedAtError,
    Repair,
    counted,
    ill,
    not_looked_at,
    worth_knowing,
)
from work_data_hub.io.schema.snapshot import doctor_catalog as catalogue
from work_data_hub.io.schema.snapshot.doctor_indexes import check_indexes
from work_data_hub.io.schema.snapshot.doctor_look import COUNT_LIMIT
from work_data_hub.io.schema.snapshot.doctor_sequences import check_sequences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from work_data_hub.io.schema.snapshot.doctor_look import Look


def check_postgresql(
    look: Look, schema: str | None, history: str, revisions: Collection[str]
) -> Iterator[Diagnosis]:
    """Yield what is unhealthy.

    Args:
        look: at the database.
        schema: of the version table.
        history: its name.
        revisions: the ids that it must hold.
    """
    # First: whether one is being built is a question of this very moment.
    yield from look.check("INVALID indexes", check_indexes)
    yield from look.check("constraints", _not_valid)
    yield from look.check("triggers", _triggers)
    yield from look.check("session_replication_role", _replica_sessions)
    yield from look.check("sequences", check_sequences)
    yield from look.check("foreign keys", _unindexed_references)
    yield from look.check("tables of Alembic's batches", _temporary_tables)
    yield from look.check("materialized views", _unpopulated_views)
    longest = max(revisions, key=len, default="")
    yield from look.check(
        "the version table", lambda inner: _version_column(inner, schema, history, longest)
    )


def _not_valid(look: Look) -> Iterator[Diagnosis]:
    for owner, name, is_of_domain, promise in look.rows(catalogue.NOT_VALID):
        kind = "DOMAIN" if is_of_domain else "TABLE"
        statement = f"ALTER {kind} {owner} VALIDATE CONSTRAINT {name}"
        repair = Repair("not-valid", statement)
        said = f"the constraint {name} of {owner} is NOT VALID"
        broken = f"SELECT * FROM {owner} AS referencing WHERE NOT ({promise})"  # noqa: S608
        rows, doubt = (None, "") if promise is None else _count(look, broken)
        if rows:
            number = counted(rows, COUNT_LIMIT, "row")
            yield ill(
                "not-valid",
                f"{said}, and {number} of before break{'s' * (rows == 1)} it",
                f"correct what `{broken}` shows, then `{statement}`",
            )
        else:
            known = "no row breaks it" if rows == 0 else f"rows of before may break it{doubt}"
            hint = f"`{statement}` blocks neither reads nor writes"
            yield worth_knowing("not-valid", f"{said}: {known}", hint, repair)


def _count(look: Look, query: str) -> tuple[int | None, str]:
    """Return how many rows there are, up to a limit; or None, and why that is not known."""
    some = f"SELECT count(*) FROM ({query} LIMIT {COUNT_LIMIT + 1}) AS found"  # noqa: S608
    try:
        return look.value(some), ""
    except NotLookedAtError as error:
        return None, f" (not looked at: {error})"


def _triggers(look: Look) -> Iterator[Diagnosis]:
    def behind(row: Any) -> tuple[object, ...]:
        # Four triggers are behind one foreign key, on two tables.
        return (row.of_table, row.behind) if row.is_internal else (row.owner, row.name, "trigger")

    for _, found in groupby(look.rows(catalogue.TRIGGERS), behind):
        rows = [*found]
        first = rows[0]
        statement = "; ".join(
            f"ALTER TABLE {owner} " + ", ".join(f"ENABLE TRIGGER {each.name}" for each in of_one)
            for owner, of_one in groupby(rows, lambda row: row.owner)
        )
        if first.is_internal:
            yield ill(
                "disabled-trigger",
                f"the constraint {first.behind} of {first.of_table} is not enforced: its triggers"
                f" {'fire on replicas alone' if first.is_for_replicas else 'are disabled'}",
                f"as a superuser: `{statement}`; what was written meanwhile was not checked",
            )
        elif first.is_for_replicas:
            yield worth_knowing(
                "disabled-trigger",
                f"the trigger {first.name} of {first.owner} fires on replicas alone",
                f"if it is to fire here: `{statement}`",
            )
        else:
            found_so = f"the trigger {first.name} of {first.owner} is disabled"
            hint = f"`{statement}`, or drop it by a revision"
            yield (ill if first.behind else worth_knowing)("disabled-trigger", found_so, hint)


def _replica_sessions(look: Look) -> Iterator[Diagnosis]:
    for is_of_all, whose, altered in look.rows(catalogue.REPLICA_SESSIONS):
        yield (ill if is_of_all else worth_knowing)(
            "replica-sessions",
            f"sessions of {whose} have session_replication_role = replica: no trigger fires in"
            " them, and no foreign key is enforced",
            f"`{altered} RESET session_replication_role`",
        )


def _unindexed_references(look: Look) -> Iterator[Diagnosis]:
    for row in look.rows(catalogue.UNINDEXED_REFERENCES):
        # A partitioned table has no CONCURRENTLY.
        how = "" if row.is_partitioned else "CONCURRENTLY "
        yield worth_knowing(
            "unindexed-reference",
            f"the foreign key {row.name} of {row.of_table} has no index: what is deleted from"
            f" {row.target} reads all of {row.of_table}",
            f"`CREATE INDEX {how}ON {row.of_table} ({row.columns})`, best by a revision",
        )


def _temporary_tables(look: Look) -> Iterator[Diagnosis]:
    for name, original, meant in look.rows(catalogue.TEMPORARY_TABLES):
        try:
            is_empty = not look.value(f"SELECT EXISTS (SELECT FROM {name})")  # noqa: S608
        except NotLookedAtError as error:
            yield not_looked_at(f"the rows of {name}", error)
            continue
        yield temporary_table(
            name,
            original,
            f"ALTER TABLE {name} RENAME TO {meant}",
            is_empty=is_empty,
            lock=f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
        )


def temporary_table(
    name: str, original: str | None, renaming: str, *, is_empty: bool, lock: str = ""
) -> Diagnosis:
    """Return that a batch of Alembic's has left the table that it works with.

    Args:
        name: of it, as SQL wants it.
        original: the table that it was to replace; None where that is not there.
        renaming: a statement that gives it the name of that table.
        is_empty: whether it has no rows.
        lock: what keeps rows out of it.
    """
    said = f"{name} is left of a batch_alter_table that was interrupted"
    if original is None:
        said += ", and the table that it was to replace is not there: it may hold the only copy"
        return ill("left-of-batch", said, f"look into it; `{renaming}` makes it that table")
    if not is_empty:
        hint = f"see that {original} has all of its rows, then `DROP TABLE {name}`"
        return ill("left-of-batch", f"{said}, and has rows", hint)
    condition = f"SELECT NOT EXISTS (SELECT 1 FROM {name})"  # noqa: S608
    repair = Repair("left-of-batch", f"DROP TABLE {name}", lock, condition)
    return ill("left-of-batch", f"{said}, and is empty", f"`{repair.statement}`", repair)


def _unpopulated_views(look: Look) -> Iterator[Diagnosis]:
    for (name,) in look.rows(catalogue.UNPOPULATED_VIEWS):
        yield worth_knowing(
            "not-populated",
            f"the materialized view {name} was never filled: a query of it fails",
            f"`REFRESH MATERIALIZED VIEW {name}`",
        )


def _version_column(
    look: Look, schema: str | None, history: str, longest: str
) -> Iterator[Diagnosis]:
    query = catalogue.VERSION_COLUMNS.format(schema=_literal(schema), table=_literal(history))
    for name, room in look.rows(query):
        if len(longest) > room:
            yield ill(
                "version-column",
                f"{name} holds ids of {room} characters, and {longest} has {len(longest)}",
                f"`ALTER TABLE {name} ALTER COLUMN version_num TYPE VARCHAR({len(longest)})`",
            )


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
