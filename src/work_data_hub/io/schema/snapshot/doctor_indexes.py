"""A check-up of PostgreSQL's indexes: those that are INVALID, and what an INVALID one hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.checkup import (
    Diagnosis,
    NotLookedAtError,
    Repair,
    counted,
    ill,
    listed,
    worth_knowing,
)
from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.io.schema.snapshot import doctor_catalog as catalogue
from work_data_hub.io.schema.snapshot.doctor_look import COUNT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from work_data_hub.io.schema.snapshot.doctor_look import Look

_CODE = "invalid-index"


def check_indexes(look: Look) -> Iterator[Diagnosis]:
    """Yield the INVALID indexes; not those that somebody is building just now."""
    for row in look.rows(catalogue.INVALID_INDEXES):
        if row.is_left_over:
            yield _left_over(row)
        elif row.is_partitioned:
            yield _incomplete(look, row)
        else:
            yield _invalid(look, row)


def _left_over(row: Any) -> Diagnosis:
    repair = Repair("left-over-index", f"DROP INDEX CONCURRENTLY {row.name}", is_outside=True)
    return worth_knowing(
        repair.code,
        f"the index {row.name} is left of a REINDEX or DROP INDEX CONCURRENTLY that did not end:"
        " every write maintains it, and no query uses it",
        f"`{repair.statement}`",
        repair,
    )


def _incomplete(look: Look, row: Any) -> Diagnosis:
    """Return that an index of a partitioned table is not the index of every partition."""
    said = f"the index {row.name} of {row.of_table} is INVALID: "
    statements: list[str] = []
    parts = look.rows(catalogue.MISSING_PARTS.format(index=row.indexrelid))
    for part in parts:
        # PostgreSQL cuts a longer one.
        name = quoted(part.wanted[:63])
        unique = "UNIQUE " if part.is_unique else ""
        how = "" if part.is_partitioned else "CONCURRENTLY "
        statements += [
            f"CREATE {unique}INDEX {how}{name} ON {part.name} USING {part.structure}",
            f"ALTER INDEX {row.name} ATTACH PARTITION {part.schema}.{name}",
        ]
    if not parts:
        return _unattached(look, row, said)
    number = counted(len(parts), len(parts), "partition")
    has = "has" if len(parts) == 1 else "have"
    said += f"{number} ({listed(part.name for part in parts)}) {has} no part of it"
    return ill(_CODE, said, f"outside of a transaction: `{'; '.join(statements)}`")


def _unattached(look: Look, row: Any, said: str) -> Diagnosis:
    """Return that an index has all of its parts, and one is INVALID or was when it was attached."""
    parts = look.rows(catalogue.ATTACHED_PARTS.format(index=row.indexrelid))
    if not parts:
        made = str(look.value(f"SELECT pg_get_indexdef({row.indexrelid})"))
        anew = f"DROP INDEX {row.name}; {made.replace(' ON ONLY ', ' ON ', 1)}"
        return ill(_CODE, f"{said}there is no partition any more", f"`{anew}`")
    (part,) = parts
    # Attaching what is attached already looks at all of them again.
    statement = f"ALTER INDEX {row.name} ATTACH PARTITION {part.name}"
    if part.indisvalid:
        return ill(_CODE, f"{said}a part of it was INVALID when it was attached", f"`{statement}`")
    said += f"its part {part.name} is INVALID"
    return ill(_CODE, said, f"do first what is said of that one, then `{statement}`")


def _invalid(look: Look, row: Any) -> Diagnosis:
    # There is no concurrent one of an exclusion constraint's index.
    how = "" if row.is_exclusion else "CONCURRENTLY "
    statement = f"REINDEX INDEX {how}{row.name}"
    said = f"the index {row.name} of {row.of_table} is INVALID"
    said += ", or is being built on the primary" if row.is_replica else ": no query uses it"
    if row.is_unique:
        hidden, doubt = _duplicates(look, row)
        if hidden is None:
            hint = f"`{statement}`, which fails if there are duplicates"
            return ill(_CODE, f"{said}, and it may hide duplicates{doubt}", hint)
        if hidden:
            keys = counted(hidden, COUNT_LIMIT, "duplicate key")
            hint = f"correct what `{_query(row)}` shows, then `{statement}`"
            return ill(_CODE, f"{said}, and it hides {keys}", hint)
        said += ", and there are no duplicates"
    repair = None if row.is_exclusion else Repair(_CODE, statement, is_outside=True)
    return ill(_CODE, said, f"`{statement}`", repair)


def _query(row: Any) -> str:
    """Return a query of the keys that an index which is to be unique has more than once."""
    keys = ", ".join(row.keys)
    needs = [] if row.nulls_are_equal else [f"{key} IS NOT NULL" for key in row.keys]
    needs += [f"({row.condition})"] if row.condition else []
    where = f" WHERE {' AND '.join(needs)}" if needs else ""
    return f"SELECT {keys}, count(*) FROM {row.of_table}{where} GROUP BY {keys} HAVING count(*) > 1"  # noqa: S608


def _duplicates(look: Look, row: Any) -> tuple[int | None, str]:
    """Return how many keys are there more than once; or None, and why that is not known."""
    some = f"SELECT count(*) FROM ({_query(row)} LIMIT {COUNT_LIMIT + 1}) AS duplicate"  # noqa: S608
    try:
        return look.value(some), ""
    except NotLookedAtError as error:
        return None, f" (not looked at: {error})"
