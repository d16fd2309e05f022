"""What is left out of a schema: what a rule says is somebody else's, and what is tuned."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.schema import KINDS, Snapshot
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from work_data_hub.domain.snapshot.schema import SchemaObject

IGNORE = "drift_ignore"
DECIDED_ELSEWHERE = ("grants", "owner", "clustered")
"""Who may do what, and in which order a table was written: often no revision decides it."""
NOT_POPULATED = "not populated"
"""A materialized view that has no data."""
DEFAULT_SCHEMA = "public"
_ANY = "*"
# Nothing that a program reads or writes depends on these.
_UNSEEN = {
    *DECIDED_ELSEWHERE,
    *("comment", "options", "statistics", "storage", "compression", "tablespace"),
    *("access method", "replica identity", "cache", NOT_POPULATED),
}


class Rule(NamedTuple):
    """What somebody else owns.

    Attributes:
        kind: of the objects, ``*`` for every kind.
        property: of them that is theirs; empty for the whole object.
        pattern: of their names, as a shell has it; on PostgreSQL with the schema, which may be
            left out for the default one.
        reason: for people.
    """

    kind: str
    property: str
    pattern: str
    reason: str

    def covers(self, item: SchemaObject) -> bool:
        """Whether an object, or a property of it, is meant."""
        return self.kind in (_ANY, item.kind) and any(
            fnmatchcase(name, self.pattern)
            for name in (item.name, item.name.removeprefix(f"{DEFAULT_SCHEMA}."))
        )

    def __str__(self) -> str:
        """Return it as it is written, without the reason."""
        said = f"{self.kind}.{self.property}" if self.property else self.kind
        return f"{said.replace(' ', '-')} {self.pattern}"


def parse_rules(lines: Iterable[str], option: str = IGNORE) -> list[Rule]:
    """Return the rules of lines such as ``table dbt_*: dbt makes them``.

    A kind is written with hyphens (``foreign-key``), and may have a property behind a dot
    (``*.comment``). Empty lines do not count.

    Args:
        lines: one for each rule.
        option: that has them, for people.

    Raises:
        UsageError: a line has no pattern or no reason, or names no kind that there is.
    """
    return [_rule(line.strip(), option) for line in lines if line.strip()]


def _rule(line: str, option: str) -> Rule:
    what, _, reason = (part.strip() for part in line.partition(": "))
    said, _, pattern = (part.strip() for part in what.partition(" "))
    kind, _, name = said.replace("-", " ").partition(".")
    if not pattern or not reason:
        raise UsageError(
            f"{option} has the line {line!r}, which is no rule with a reason",
            hint="write KIND PATTERN: REASON, such as `table dbt_*: dbt makes them`",
        )
    if kind not in (_ANY, *KINDS):
        kinds = ", ".join(sorted(each.replace(" ", "-") for each in KINDS))
        raise UsageError(f"{option} has {kind!r}, which is no kind", hint=f"one of {kinds}, or *")
    return Rule(kind, name, pattern, reason)


def without_ignored(snapshot: Snapshot, rules: Sequence[Rule]) -> Snapshot:
    """Return a schema without what the rules cover."""
    whole = [rule for rule in rules if not rule.property]
    parts = [rule for rule in rules if rule.property]
    kept = snapshot.without(lambda item: any(rule.covers(item) for rule in whole))
    return mapped(
        kept, lambda item: less(item, [rule.property for rule in parts if rule.covers(item)])
    )


def as_programs_see_it(snapshot: Snapshot) -> Snapshot:
    """Return a schema without what may be tuned while programs run: grants, storage, comments."""
    return mapped(snapshot, lambda item: less(item, _UNSEEN))


def said_to_be_left_out(rules: Iterable[Rule]) -> list[str]:
    """Return, in words, what ``without_ignored`` and ``as_programs_see_it`` leave out."""
    return [*map(str, rules), *sorted(_UNSEEN)]


def mapped(snapshot: Snapshot, changed: Callable[[SchemaObject], SchemaObject]) -> Snapshot:
    """Return a schema of which each object was changed."""
    return Snapshot(snapshot.engine, map(changed, snapshot), snapshot.owner)


def less(item: SchemaObject, names: Iterable[str]) -> SchemaObject:
    """Return an object without some of its properties."""
    gone = {*names} & item.properties.keys()
    if not gone:
        return item
    kept = {name: value for name, value in item.properties.items() if name not in gone}
    return replace(item, properties=kept)
