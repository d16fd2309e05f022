"""In which order the differences of a SQLite schema are mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import DIFFERENT, EXTRA, MISSING, RENAMED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject

_OF_TABLES = ("column", "primary key", "unique", "foreign key", "check")
_KINDS = ("table", "column", "virtual table", "index", "view", "trigger")
_CLEARED = ("view", "trigger", "index")


def is_of_table(difference: Difference) -> bool:
    """Whether a difference is one of a table that there is, and stays."""
    kind = difference.object.kind
    return kind in _OF_TABLES or (kind == "table" and difference.change == DIFFERENT)


def table_of(difference: Difference) -> str:
    """Return the table that a difference is one of."""
    return difference.object.parent or difference.object.name


def ordered(differences: Sequence[Difference]) -> list[Difference]:
    """Return the differences as they can be mended.

    What is too many and may be in the way goes first, tables that are too many last, and what
    references others before those.
    """
    missing = {each.object.name for each in differences if each.change == MISSING}

    def rank(each: Difference) -> tuple[int, int]:
        kind = "column" if is_of_table(each) else each.object.kind
        place = _KINDS.index(kind)
        if each.change == EXTRA and kind != "column":
            is_early = kind in _CLEARED or each.object.name in missing
            return (0, -place) if is_early else (3, place)
        return (1 if each.change == RENAMED and kind == "table" else 2, place)

    return sorted(_referencing_first(differences), key=rank)


def _referencing_first(differences: Sequence[Difference]) -> list[Difference]:
    extra = [each for each in differences if each.change == EXTRA and each.contents]
    done: dict[int, Difference] = {}
    begun: set[int] = set()

    def visit(each: Difference) -> None:
        if id(each) in begun:
            return
        begun.add(id(each))
        for other in extra:
            if each.object.name in _targets(other.contents):
                visit(other)
        done[id(each)] = each

    for each in differences:
        visit(each)
    return list(done.values())


def _targets(contents: Sequence[SchemaObject]) -> set[str]:
    return {str(item.properties.get("target")) for item in contents if item.kind == "foreign key"}
