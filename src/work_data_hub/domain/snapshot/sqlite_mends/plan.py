"""The plan that makes of one SQLite schema another: what is done about each difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import DIFFERENT, RENAMED, differences
from work_data_hub.domain.snapshot.sqlite_mends.alteration import Alteration, in_place
from work_data_hub.domain.snapshot.sqlite_mends.keys import can_be_checked
from work_data_hub.domain.snapshot.sqlite_mends.order import is_of_table, ordered, table_of
from work_data_hub.domain.snapshot.sqlite_mends.rebuild import Surroundings, rebuilt
from work_data_hub.domain.snapshot.step import Step
from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.domain.sqlite import ddl
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

_FILL = "it is empty then: fill it again"


def planned(wanted: Snapshot, found: Snapshot) -> list[tuple[Difference, list[Step]]]:
    """Return each difference with what is done about it, in the order in which it is done."""
    plan = _Plan(wanted, found)
    return [(difference, plan.steps(difference)) for difference in plan.ordered]


class _Plan:
    """What is found out about two schemas before anything is said."""

    def __init__(self, wanted: Snapshot, found: Snapshot) -> None:
        self._wanted, self._found = wanted, found
        self._differences = differences(wanted, found)
        self._renamed = {
            each.found.name: each.wanted.name
            for each in self._differences
            if each.change == RENAMED and each.wanted and each.found and not each.wanted.parent
        }
        self._groups: dict[str, list[Difference]] = {}
        for each in self._differences:
            if is_of_table(each) and not self._comes_with_rename(each):
                self._groups.setdefault(table_of(each), []).append(each)
        self._altered = {table: self._alteration(table) for table in self._groups}
        self._in_place = {
            table: None if each is None else in_place(each) for table, each in self._altered.items()
        }
        self._remade = {
            table
            for table, each in self._altered.items()
            if each is not None and self._in_place[table] is None
        }
        self._remade |= {
            each.object.name
            for each in self._differences
            if each.object.kind in ("view", "virtual table") and each.change in (DIFFERENT, RENAMED)
        }
        self.ordered = ordered(self._differences)
        self._first: dict[str, Difference] = {}
        for each in self.ordered:
            if is_of_table(each) and not self._comes_with_rename(each):
                self._first.setdefault(table_of(each), each)
        self._taken = {folded(each.own_name) for side in (wanted, found) for each in side}

    def steps(self, difference: Difference) -> list[Step]:
        """Return what is done about a difference."""
        if self._comes_with_rename(difference):
            return [Step(note="it is so once the other is renamed")]
        if is_of_table(difference):
            return self._of_table(difference)
        return list(self._of_statement(difference))

    def _of_table(self, difference: Difference) -> list[Step]:
        name = table_of(difference)
        alteration, first = self._altered[name], self._first[name]
        if alteration is None:
            note = f"the CREATE TABLE of {name} could not be taken apart: rebuild it by hand"
            return [Step(note=note)]
        if difference is not first:
            return [Step(note=f"it is mended with {first.object}")]
        steps = self._in_place[name]
        if steps is None:
            wanted = self._wanted.by_key["table", name]
            can_check = can_be_checked(self._wanted, name)
            around = Surroundings(self._taken, list(self._behind(name)), can_check)
            return rebuilt(alteration, wanted.made_by, around)
        return steps or [Step(note="it follows from another table")]

    def _behind(self, table: str) -> Iterator[str]:
        """Yield what makes the indexes and triggers of something that is made again."""
        for kind in ("index", "trigger"):
            for item in self._wanted:
                if item.kind == kind and item.parent == table:
                    found = self._found.by_key.get((kind, item.name))
                    if found is not None and found.parent != table:
                        yield f"DROP {kind.upper()} IF EXISTS {quoted(found.own_name)}"
                    yield item.made_by

    def _of_statement(self, difference: Difference) -> Iterator[Step]:
        wanted, found = difference.wanted, difference.found
        if wanted is not None and wanted.parent in self._remade:
            yield Step(note=f"it is made with {wanted.parent}")
            return
        if difference.change == RENAMED and wanted is not None and wanted.kind == "table":
            assert found is not None
            old, new = quoted(found.own_name), quoted(wanted.own_name)
            yield Step(f"ALTER TABLE {old} RENAME TO {new}")
            return
        if found is not None:
            yield from self._dropped(found)
        if wanted is not None:
            is_virtual = wanted.kind == "virtual table"
            yield Step(wanted.made_by, note=_FILL if is_virtual else "")
            for each in difference.contents:
                if each.kind in ("index", "trigger"):
                    yield Step(each.made_by)
            if difference.change in (DIFFERENT, RENAMED) and wanted.kind not in (
                "index",
                "trigger",
            ):
                yield from map(Step, self._behind(wanted.name))

    def _dropped(self, item: SchemaObject) -> Iterator[Step]:
        if item.parent in self._remade:
            yield Step(note=f"it goes with what {item.parent} was")
            return
        sql = f"DROP {item.kind.split()[-1].upper()} {quoted(item.own_name)}"
        if "table" not in item.kind:
            yield Step(sql)
        elif self._is_referenced(item.name):
            # With them on, it would delete or refuse the rows that reference its own.
            yield Step("PRAGMA foreign_keys = OFF", is_alone=True)
            yield Step(sql, loses_data=True, is_alone=True)
            yield Step("PRAGMA foreign_keys = ON", is_alone=True)
        else:
            yield Step(sql, loses_data=True)

    def _is_referenced(self, table: str) -> bool:
        return any(
            item.kind == "foreign key"
            and item.properties.get("target") == table
            and item.parent != table
            for item in (*self._wanted, *self._found)
        )

    def _alteration(self, table: str) -> Alteration | None:
        statements = [
            item.made_by
            for item in self._found
            if item.kind in ("view", "trigger") or (item.kind == "index" and item.parent == table)
        ]
        texts = (side.by_key["table", table].made_by for side in (self._wanted, self._found))
        try:
            wanted, found = map(ddl.parse, texts)
        except ValueError:
            return None
        return Alteration(wanted, found, self._groups[table], statements)

    def _comes_with_rename(self, difference: Difference) -> bool:
        """Whether a foreign key only references a table by its new name."""
        pair = difference.properties.get("target")
        return (
            difference.object.kind == "foreign key"
            and pair is not None
            and len(difference.properties) == 1
            and self._renamed.get(str(pair[1])) == pair[0]
        )
