"""What a rebuilt table must be: what it was, and only what the revision changed otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.ddl import Clause, Column, Table
from work_data_hub.domain.sqlite.loss import Loss, described, drop_first
from work_data_hub.domain.sqlite.text import columns_in, folded, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Wishes:
    """What the revision said of a rebuild that no CREATE TABLE shows.

    Attributes:
        dropped: columns, by name.
        replaced: columns that were dropped, and others of the same name added.
        renamed: columns that get another name, by the one they have.
        constraints: names of those that it did not drop.
        autoincrement: what ``table_kwargs`` says of it, if anything.
        checks_restated: a CHECK was passed in ``table_args``, which stands for all that have no
            name (Alembic's own rule, in its documentation of batch operations).
    """

    dropped: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()
    constraints: frozenset[str] = frozenset()
    autoincrement: bool | None = None
    checks_restated: bool = False


def merge(
    original: Table, base: Table, wanted: Table, wishes: Wishes
) -> tuple[Table, Sequence[Loss]]:
    """Apply to a table what lies between two others, and report what that would lose.

    Alembic rebuilds a table from what SQLAlchemy's reflection saw of it. What reflection does not
    see is the same in ``base`` and ``wanted``, so that it stays as it is in ``original``.

    Args:
        original: what the database holds.
        base: what a rebuild that changes nothing would create.
        wanted: what the rebuild creates, in the column names of ``original``.
        wishes: what else the revision said.
    """
    merger = _Merger(original, base, wanted, wishes)
    return merger.table(), merger.losses


class _Merger:
    def __init__(self, original: Table, base: Table, wanted: Table, wishes: Wishes) -> None:
        self._original, self._base, self._wanted = original, base, wanted
        self._wishes = wishes
        self._dropped = {folded(name) for name in wishes.dropped}
        self.losses: list[Loss] = []

    def table(self) -> Table:
        gone = [c for c in _rules_not_in(self._base, self._wanted) if not self._left_out(c)]
        new = _rules_not_in(self._wanted, self._base)
        removed = [rule for lost in gone if (rule := self._in_original(lost)) is not None]
        for clause in _renamed_away(removed, new, self._wishes.renamed):
            self._lose(described(clause), _KEEP_RENAMED)
        key_changed = self._key_changed()
        if key_changed and self._original.primary_key is not None:
            removed.append(self._original.primary_key)
        if self._wishes.checks_restated:
            removed += [c for c in self._original.clauses if c.kind == "CHECK" and not c.name]
        columns = [self._column(column, removed, key_changed) for column in self._wanted.columns]
        self._check_forgotten_columns()
        constraints = [
            self._named(clause)
            for clause in (*self._original.constraints, *self._inline_to_name(removed))
            if not _among(clause, removed) and not self._goes_with_columns(clause)
        ]
        new = [clause for clause in new if _among(clause, self._wanted.constraints)]
        if key_changed:
            new += [c for c in self._wanted.constraints if c.kind == "PRIMARY KEY"]
        merged = Table(
            self._wanted.name,
            tuple(columns),
            (*constraints, *new),
            self._picked(self._original.options, self._base.options, self._wanted.options),
        )
        self._check_numbers(merged, key_changed=key_changed)
        return merged

    @staticmethod
    def _picked(original: str, base: str, wanted: str) -> str:
        return original if spelling(base) == spelling(wanted) else wanted

    def _column(self, wanted: Column, removed: Sequence[Clause], key_changed: bool) -> Column:
        original = self._original.column(wanted.name)
        base = self._base.column(wanted.name)
        if original is None or base is None or wanted.name in self._wishes.replaced:
            return wanted
        merged = Column(
            original.name,
            original.written,
            self._picked(original.type, base.type, wanted.type),
            tuple(
                clause
                for clause in _clauses(original, base, wanted)
                if not _among(clause, removed)
                and self._named_rule(clause) is None
                and not (clause.kind == "CHECK" and self._goes_with_columns(clause))
            ),
        )
        if key_changed and (key := wanted.clause("PRIMARY KEY")) is not None:
            # AUTOINCREMENT must directly follow, and NOT NULL may stand anywhere.
            merged = replace(merged, clauses=(key, *merged.clauses))
        generated = merged.clause("GENERATED")
        if generated is not None and columns_in(generated.text) & self._dropped:
            self._lose(described(generated), drop_first(generated))
        return merged

    def _left_out(self, rule: Clause) -> bool:
        """Whether it is Alembic that leaves it out, because of a column that is dropped."""
        dropped = {folded(name) for name in rule.columns} & self._dropped
        return bool(dropped) and (rule.name is None or rule.name in self._wishes.constraints)

    def _key_changed(self) -> bool:
        base, wanted = self._base.primary_key, self._wanted.primary_key
        had = self._original.autoincrements
        wish = self._wishes.autoincrement
        if _columns(base) != _columns(wanted):
            return True
        renamed = base is not None and wanted is not None and base.name != wanted.name
        if renamed and had and wish is None:
            self._lose("AUTOINCREMENT", 'pass table_kwargs={"sqlite_autoincrement": True}')
        return renamed or (wish is not None and wish != had)

    def _check_numbers(self, merged: Table, *, key_changed: bool) -> None:
        """Refuse a type of the key with which the table gives no numbers by itself any more."""
        key, had = merged.primary_key, self._original.rowid_alias is not None
        if key is None or merged.rowid_alias is not None or not merged.has_rowid:
            return
        leave = f"leave {key.columns[0]} INTEGER, which has 64 bits on SQLite"
        if merged.autoincrements:
            # SQLite allows it on a type that is spelled INTEGER only (sqlite.org/autoinc).
            no = 'table_kwargs={"sqlite_autoincrement": False}'
            self._lose("AUTOINCREMENT", f"{leave}, or pass {no}")
        if had and not key_changed:
            say = f"batch_op.create_primary_key('pk', [{key.columns[0]!r}])"
            self._lose("INTEGER PRIMARY KEY", f"{leave}, or say that it is to be a key: {say}")

    def _lose(self, what: str, keep: str, *, may_go: bool = False) -> None:
        self.losses.append(Loss(f"{what} of {self._original.name}", keep, may_go=may_go))

    def _in_original(self, rule: Clause) -> Clause | None:
        alike = [clause for clause in self._original.clauses if _same(rule, clause)]
        return next((c for c in alike if c.name == rule.name), alike[0] if alike else None)

    def _named_rule(self, clause: Clause) -> Clause | None:
        """Return the same constraint with the name that ``naming_convention`` found for it."""
        if clause.name is not None or clause.kind not in ("UNIQUE", "FOREIGN KEY"):
            return None
        same = (rule for rule in self._base.clauses if _same(rule, clause))
        return next((rule for rule in same if rule.name is not None), None)

    def _inline_to_name(self, removed: Sequence[Clause]) -> Iterator[Clause]:
        """Yield what gets a name; reflection finds that in a table's own constraint only."""
        for column in self._original.columns:
            for clause in column.clauses:
                if self._named_rule(clause) is not None and not _among(clause, removed):
                    yield replace(clause, text=_as_of_table(clause, column))

    def _named(self, clause: Clause) -> Clause:
        rule = self._named_rule(clause)
        if rule is None or rule.name is None:
            return clause
        text = f"CONSTRAINT {quoted(rule.name)} {_with_target_columns(clause, rule)}"
        return replace(clause, name=rule.name, text=text)

    def _goes_with_columns(self, clause: Clause) -> bool:
        """Whether it cannot stay: with all of its columns it goes, of some it must be allowed."""
        if clause.kind == "PRIMARY KEY":
            return False
        columns = frozenset(folded(name) for name in clause.columns)
        if clause.kind == "CHECK":
            known = {folded(column.name) for column in self._original.columns}
            columns = columns_in(clause.text) & known
        gone = columns & self._dropped
        if gone and gone != columns:
            self._lose(described(clause), drop_first(clause), may_go=True)
        return bool(gone)

    def _check_forgotten_columns(self) -> None:
        for column in self._original.columns:
            known = self._base.column(column.name) or self._wanted.column(column.name)
            if known is None and folded(column.name) not in self._dropped:
                keep = "name it in the table passed as copy_from, or leave copy_from out"
                self._lose(f"column {column.name}", keep)


_KEEP_RENAMED = (
    "rename without existing_type, and it is kept; if it is to go, drop it in a batch of its own"
    " before"
)
# Of these a column has one, which is what it is in the version of whoever changed it.
_SINGLE = ("NOT NULL", "DEFAULT", "COLLATE")
_RULES = ("UNIQUE", "FOREIGN KEY", "CHECK")


def _renamed_away(
    removed: Iterable[Clause], new: Sequence[Clause], renamed: Iterable[str]
) -> Iterator[Clause]:
    """Yield what Alembic drops by itself: the CHECK of a Boolean or Enum that is renamed."""
    names = {folded(name) for name in renamed}
    for clause in removed:
        touched = columns_in(clause.text) & names if clause.kind == "CHECK" else set()
        again = any(c.kind == "CHECK" and columns_in(c.text) & touched for c in new)
        if touched and not again:
            yield clause


def _as_of_table(clause: Clause, column: Column) -> str:
    if clause.kind == "FOREIGN KEY":
        return f"FOREIGN KEY ({column.written}) {clause.text}"
    return f"UNIQUE ({column.written}){clause.text[len('UNIQUE') :]}"


def _with_target_columns(clause: Clause, rule: Clause) -> str:
    """Return the text with what the primary key of the target is, which reflection must read."""
    if clause.target_columns or not rule.target_columns:
        return clause.text
    found = list(tokens(clause.text))
    target = next(i for i, token in enumerate(found) if token.word == "REFERENCES") + 1
    end = found[target].end
    names = ", ".join(map(quoted, rule.target_columns))
    return f"{clause.text[:end]} ({names}){clause.text[end:]}"


def _clauses(original: Column, base: Column, wanted: Column) -> list[Clause]:
    changed = [kind for kind in _SINGLE if _text(base, kind) != _text(wanted, kind)]
    if "NOT NULL" in changed:
        changed.append("NULL")
    kept = [clause for clause in original.clauses if clause.kind not in changed]
    return [*kept, *(clause for clause in wanted.clauses if clause.kind in changed)]


def _text(column: Column, kind: str) -> tuple[str, ...]:
    clause = column.clause(kind)
    return () if clause is None else spelling(clause.text)


def _columns(key: Clause | None) -> tuple[str, ...]:
    return () if key is None else tuple(folded(name) for name in key.columns)


def _rules_not_in(table: Table, other: Table) -> list[Clause]:
    known = Counter(spelling(clause.text) for clause in other.clauses if clause.kind in _RULES)
    found = []
    for clause in table.clauses:
        if clause.kind in _RULES:
            text = spelling(clause.text)
            known[text] -= 1
            if known[text] < 0:
                found.append(clause)
    return found


def _same(rule: Clause, clause: Clause) -> bool:
    """Whether both are the same constraint, however it is written."""
    if rule.kind != clause.kind:
        return False
    if rule.kind == "CHECK":
        if rule.name is None and clause.name is None:
            return spelling(rule.text) == spelling(clause.text)
        return rule.name == clause.name
    columns = _columns(rule) == _columns(clause)
    return columns and folded(rule.target) == folded(clause.target) and _same_target(rule, clause)


def _same_target(rule: Clause, clause: Clause) -> bool:
    ours, theirs = ([folded(n) for n in c.target_columns] for c in (rule, clause))
    return ours == theirs or not ours or not theirs


def _among(clause: Clause, clauses: Collection[Clause]) -> bool:
    return any(clause is other for other in clauses)
