"""A check-up of PostgreSQL's sequences: one that will give what its column has already."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from work_data_hub.domain.snapshot.checkup import (
    Diagnosis,
    NotLookedAtError,
    Repair,
    ill,
    listed,
    not_looked_at,
    worth_knowing,
)
from work_data_hub.io.schema.snapshot import doctor_catalog as catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.io.schema.snapshot.doctor_look import Look

_AT_ONCE = 50
# A column without an index is read whole, so it may have so many bytes.
_READ_WHOLE = 16 * 1024 * 1024


class _Served(NamedTuple):
    """A column that a sequence serves, and how far both are.

    Attributes:
        row: of the catalogue.
        last: what the sequence says.
        is_called: whether that was given to somebody.
        extreme: the largest value of the column that the sequence could give, or the smallest of
            one that counts down; None where there is no such value.
    """

    row: Any
    last: int
    is_called: bool
    extreme: int | None

    @property
    def is_behind(self) -> bool:
        """Whether the column has what comes next, or what comes after that."""
        step = self.row.increment
        following = self.last + step * self.is_called
        return self.extreme is not None and (self.extreme - following) * step >= 0


def check_sequences(look: Look) -> Iterator[Diagnosis]:
    """Yield the sequences that are behind a column which they serve."""
    rows = look.rows(catalogue.SEQUENCES)
    found: list[_Served] = []
    unread: list[tuple[str, NotLookedAtError]] = []
    for start in range(0, len(rows), _AT_ONCE):
        found += _read(look, rows[start : start + _AT_ONCE], unread)
    for _, served in groupby(found, lambda each: each.row.number):
        behind = [each for each in served if each.is_behind]
        if behind:
            # A sequence may serve several columns.
            yield _behind(max(behind, key=_distance))
    if unread:
        names, faults = zip(*unread, strict=True)
        yield not_looked_at(f"the sequence{'s' * (len(names) > 1)} of {listed(names)}", faults[0])


def _distance(served: _Served) -> int:
    return abs((served.extreme or 0) - served.last)


def _read(
    look: Look, rows: Sequence[Any], unread: list[tuple[str, NotLookedAtError]]
) -> list[_Served]:
    """Read many at once, and each for itself where one of them cannot be read."""
    try:
        answers = look.rows(" UNION ALL ".join(map(_question, range(len(rows)), rows)))
    except NotLookedAtError as error:
        if len(rows) == 1:
            unread.append((_column(rows[0]), error))
            return []
        return [served for row in rows for served in _read(look, [row], unread)]
    found = []
    for number, last, is_called, extreme, is_too_large, is_served in answers:
        row = rows[number]
        if is_served and is_too_large:
            unread.append((_column(row), NotLookedAtError("it has no index, and is large")))
        elif is_served:
            found.append(_Served(row, last, is_called, None if extreme is None else int(extreme)))
    return sorted(found, key=lambda each: each.row.number)


def _question(number: int, row: Any) -> str:
    size = f"pg_relation_size({row.of_table_oid}::regclass)"
    is_too_large = "false" if row.is_indexed else f"{size} > {_READ_WHOLE}"
    extreme = f"SELECT {_extreme(row)} FROM {row.of_table}{_of_steps(row, 'counter.last_value')}"  # noqa: S608
    default = catalogue.IS_NEXT_VALUE.format(default=row.of_default)
    return (
        f"SELECT {number}, counter.last_value, counter.is_called,"  # noqa: S608
        f" CASE WHEN NOT {is_too_large} THEN ({extreme}) END::numeric, {is_too_large},"
        f" {default if row.of_default else 'true'} FROM {row.name} AS counter"
    )


def _extreme(row: Any) -> str:
    return f"{'max' if row.increment > 0 else 'min'}({row.column_name})"


def _of_steps(row: Any, last: str) -> str:
    """Return a condition on the values that the sequence gives: another may give those between."""
    if abs(row.increment) == 1:
        return ""
    return f" WHERE mod(({row.column_name} - {last})::numeric, {row.increment}) = 0"


def _behind(served: _Served) -> Diagnosis:
    row, last = served.row, served.last
    sign = ">=" if row.increment > 0 else "<="
    name = row.name.replace("'", "''")
    # Forward, or not at all: somebody may have used it meanwhile.
    statement = (
        f"SELECT setval('{name}', {_extreme(row)}) FROM {row.of_table}{_of_steps(row, str(last))}"  # noqa: S608
        f" HAVING {_extreme(row)} {sign} (SELECT last_value FROM {row.name})"
    )
    lock = f"LOCK TABLE {row.of_table} IN SHARE ROW EXCLUSIVE MODE"
    repair = Repair("sequence-behind", statement, lock)
    said = f"the sequence {row.name} is at {last}, and {_column(row)} has {served.extreme} already"
    if row.is_unique:
        said += ": inserts fail, for a value that is there"
        return ill(repair.code, said, f"`{statement}`", repair)
    said += ": values are given twice"
    return worth_knowing(repair.code, said, f"`{statement}`", repair)


def _column(row: Any) -> str:
    return f"{row.of_table}.{row.column_name}"
