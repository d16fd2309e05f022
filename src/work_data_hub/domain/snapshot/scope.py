"""What of two schemas is compared: what migrations are about, and no rule leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.difference import Difference, differences
from work_data_hub.domain.snapshot.schema import KINDS, Snapshot
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from work_data_hub.domain.snapshot.schema import SchemaObject

IGNORE = "drift_ignore"
_ANY = "*"
_DEFAULT_SCHEMA = "public"
# Who may do what is often decided elsewhere: compared where a revision decides it.
_DECIDED_ELSEWHERE = ("grants", "owner")
# Nothing that a program reads or writes depends on these.
_UNSEEN = {
    *_DECIDED_ELSEWHERE,
    *("comment", "options", "statistics", "storage", "compression", "clustered", "tablespace"),
    *("access method", "replica identity", "cache", "not populated"),
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
            for name in (item.name, item.name.removeprefix(f"{_DEFAULT_SCHEMA}."))
        )

    def __str__(self) -> str:
        """Return it as it is written, without the reason."""
        said = f"{self.kind}.{self.property}" if self.property else self.kind
        return f"{said.replace(' ', '-')} {self.pattern}"


class Ignored(NamedTuple):
    """A difference that does not count, and the rule that says so."""

    difference: Difference
    rule: Rule


@dataclass(frozen=True)
class Compared:
    """Two schemas, as far as they are compared.

    Attributes:
        wanted: as it should be.
        found: as it is.
        ignored: what differs and is left out by a rule.
        left_out: what is not compared, and why, a line for each.
    """

    wanted: Snapshot
    found: Snapshot
    ignored: tuple[Ignored, ...]
    left_out: tuple[str, ...]


def parse_rules(lines: Iterable[str]) -> list[Rule]:
    """Return the rules of lines such as ``table dbt_*: dbt makes them``.

    A kind is written with hyphens (``foreign-key``), and may have a property behind a dot
    (``*.comment``). Empty lines do not count.

    Raises:
        UsageError: a line has no pattern or no reason, or names no kind that there is.
    """
    return [_rule(line.strip()) for line in lines if line.strip()]


def _rule(line: str) -> Rule:
    what, _, reason = (part.strip() for part in line.partition(": "))
    said, _, pattern = (part.strip() for part in what.partition(" "))
    kind, _, name = said.replace("-", " ").partition(".")
    if not pattern or not reason:
        raise UsageError(
            f"{IGNORE} has the line {line!r}, which is no rule with a reason",
            hint="write KIND PATTERN: REASON, such as `table dbt_*: dbt makes them`",
        )
    if kind not in (_ANY, *KINDS):
        kinds = ", ".join(sorted(each.replace(" ", "-") for each in KINDS))
        raise UsageError(f"{IGNORE} has {kind!r}, which is no kind", hint=f"one of {kinds}, or *")
    return Rule(kind, name, pattern, reason)


def in_scope(wanted: Snapshot, found: Snapshot, rules: Sequence[Rule]) -> Compared:
    """Return what of two schemas is compared.

    Left out are schemas of PostgreSQL that no revision makes or uses, owners and grants where no
    revision decides on any, and what a rule covers.

    Args:
        wanted: as it should be.
        found: as it is.
        rules: of the project.
    """
    strangers = _schemas(found) - _schemas(wanted)
    ours = found.without(lambda item: item.kind == "schema" and item.name in strangers)
    ours = ours.without(lambda item: any(item.name.startswith(f"{each}.") for each in strangers))
    undecided = [
        name
        for name in _DECIDED_ELSEWHERE
        if not any(name in item.properties for item in wanted)
        and any(name in item.properties for item in ours)
    ]
    ours = _mapped(ours, lambda item: _less(item, undecided))
    left_out = [f"schema {name}: no revision makes it" for name in sorted(strangers)]
    left_out += [f"{name}: no revision decides on any" for name in undecided]
    kept = without_ignored(wanted, rules), without_ignored(ours, rules)
    return Compared(*kept, tuple(_ignored(wanted, ours, rules)), tuple(left_out))


def without_ignored(snapshot: Snapshot, rules: Sequence[Rule]) -> Snapshot:
    """Return a schema without what the rules cover."""
    whole = [rule for rule in rules if not rule.property]
    parts = [rule for rule in rules if rule.property]
    kept = snapshot.without(lambda item: any(rule.covers(item) for rule in whole))
    return _mapped(
        kept, lambda item: _less(item, [rule.property for rule in parts if rule.covers(item)])
    )


def as_programs_see_it(snapshot: Snapshot) -> Snapshot:
    """Return a schema without what may be tuned while programs run: grants, storage, comments."""
    return _mapped(snapshot, lambda item: _less(item, _UNSEEN))


def said_to_be_left_out(rules: Iterable[Rule]) -> list[str]:
    """Return, in words, what ``without_ignored`` and ``as_programs_see_it`` leave out."""
    return [*map(str, rules), *sorted(_UNSEEN)]


def _schemas(snapshot: Snapshot) -> set[str]:
    return {item.name for item in snapshot if item.kind == "schema"}


def _mapped(snapshot: Snapshot, changed: Callable[[SchemaObject], SchemaObject]) -> Snapshot:
    return Snapshot(snapshot.engine, map(changed, snapshot))


def _less(item: SchemaObject, names: Iterable[str]) -> SchemaObject:
    """Return an object without some of its properties."""
    gone = {*names} & item.properties.keys()
    if not gone:
        return item
    kept = {name: value for name, value in item.properties.items() if name not in gone}
    return replace(item, properties=kept)


def _ignored(wanted: Snapshot, found: Snapshot, rules: Sequence[Rule]) -> Iterator[Ignored]:
    """Yield what differs and the rules leave out, each with the first rule that does."""
    whole = [rule for rule in rules if not rule.property]
    owned = {
        item.name: rule
        for item in (*wanted, *found)
        for rule in reversed(whole)
        if rule.covers(item)
    }
    for difference in differences(wanted, found):
        items = [item for item in (difference.wanted, difference.found) if item is not None]
        owner = next(
            (owned[key] for each in items for key in (each.name, each.parent) if key in owned), None
        )
        if owner is not None:
            yield Ignored(difference, owner)
            continue
        for rule in rules:
            if rule.property in difference.properties and any(map(rule.covers, items)):
                yield Ignored(_only(difference, rule.property), rule)


def _only(difference: Difference, name: str) -> Difference:
    """Return what differs in one property."""
    assert difference.wanted is not None
    assert difference.found is not None
    others = difference.properties.keys() - {name}
    wanted, found = (_less(each, others) for each in (difference.wanted, difference.found))
    return replace(difference, wanted=wanted, found=found)
