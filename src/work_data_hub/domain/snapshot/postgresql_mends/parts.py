"""What else goes with a PostgreSQL table: triggers, rules, policies, statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import shared
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change, Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

_ENABLED = {
    None: "ENABLE",
    "disabled": "DISABLE",
    "on replicas": "ENABLE REPLICA",
    "always": "ENABLE ALWAYS",
}


def enabled(change: Change) -> Iterator[Step]:
    """Yield what has a trigger or a rule act, or not."""
    item = change.wanted
    when, _ = change.pair("enabled")
    verb = _ENABLED[None if when is None else str(when)]
    yield Step(f"ALTER TABLE {item.parent} {verb} {shared.word_of(item)} {item.own_name}")


def policy(sides: Sides, item: SchemaObject) -> str:
    """Return what makes a policy."""
    told = item.properties
    kind = " AS RESTRICTIVE" if told.get("restrictive") else ""
    return (
        f"CREATE POLICY {item.own_name} ON {item.parent}{kind} FOR {told['for']}"
        f"{_policy_clauses(sides, item)}"
    )


def is_other_policy(change: Change) -> bool:
    """Whether ALTER POLICY cannot do it."""
    is_less = any(
        change.pair(name)[0] is None and change.differs(name) for name in ("using", "with check")
    )
    return is_less or change.differs("for", "restrictive")


def altered_policy(change: Change) -> Iterator[Step]:
    """Yield what alters whom and what a policy is about."""
    item = change.wanted
    clauses = _policy_clauses(change.sides, item)
    if change.differs("to", "using", "with check"):
        yield Step(f"ALTER POLICY {item.own_name} ON {item.parent}{clauses}")


def _policy_clauses(sides: Sides, item: SchemaObject) -> str:
    told = item.properties
    roles = ", ".join(map(sides.role, shared.told(told.get("to"))))
    using = f" USING ({told['using']})" if "using" in told else ""
    check = f" WITH CHECK ({told['with check']})" if "with check" in told else ""
    return f" TO {roles}{using}{check}"


def target(change: Change) -> Iterator[Step]:
    """Yield what sets how many values ANALYZE looks at."""
    number, _ = change.pair("target")
    said = -1 if number is None else number
    yield Step(f"ALTER STATISTICS {change.wanted.own_name} SET STATISTICS {said}")


PROPERTIES = {
    "trigger": {"enabled": enabled, "comment": shared.comment},
    "rule": {"enabled": enabled, "comment": shared.comment},
    "policy": {"comment": shared.comment},
    "statistics": {"target": target, "comment": shared.comment},
}
"""What alters them, by kind."""
