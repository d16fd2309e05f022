"""What is kept of a schema, to tell later whether it is still as it was."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.schema import FORMAT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

_DIGITS = 8


class Fingerprint(NamedTuple):
    """Of one schema.

    Attributes:
        whole: a hash over all of it, with the number of the format before it.
        scope: a digest of what was left out of it.
        parts: eight digits for each object that stands for itself, over it and what goes with
            it, in order; they tell a schema that has become another from one that has more.
    """

    whole: str
    scope: str
    parts: str

    def lost_since(self, now: Fingerprint) -> int | None:
        """Return how many objects are not as they were: another, or gone.

        What has come to it does not count.

        Args:
            now: of the same database, later.

        Returns:
            None where the two say nothing about each other: they are of two formats, or something
            else was left out.
        """
        if _format(self) != _format(now) or self.scope != now.scope:
            return None
        if self.whole == now.whole:
            return 0
        return len({*_digests(self.parts)} - {*_digests(now.parts)})

    def came_since(self, before: Fingerprint) -> frozenset[str]:
        """Return the digests of what has come to it, or become another.

        Args:
            before: of the same database, earlier.
        """
        return frozenset(_digests(self.parts)) - {*_digests(before.parts)}

    def without(self, digests: Collection[str]) -> Fingerprint:
        """Return it without some of its objects."""
        kept = (digest for digest in _digests(self.parts) if digest not in digests)
        return self._replace(parts="".join(kept))


class Likeness(NamedTuple):
    """How alike a schema is to what a revision makes.

    Attributes:
        revision: which; ``base`` is an empty schema.
        missing: how many objects that it makes are not there, or are another.
        extra: how many are there that it does not make, or makes otherwise.
    """

    revision: str
    missing: int
    extra: int

    @property
    def distance(self) -> int:
        """How far they are from each other."""
        return self.missing + self.extra


def parts_of(schema: Snapshot) -> str:
    """Return eight digits for each object: finer than what a fingerprint has of a table."""
    return "".join(sorted(_sha256(_text(item))[:_DIGITS] for item in schema))


def closest(made: Mapping[str, str], found: str) -> Likeness:
    """Return what a schema looks like most; of several the newest.

    Args:
        made: ``parts_of`` what each revision makes, the oldest first.
        found: of the schema, with the same left out.
    """
    there = {*_digests(found)}
    alike = [Likeness("base", 0, len(there))]
    for revision, parts in made.items():
        wanted = {*_digests(parts)}
        alike.append(Likeness(revision, len(wanted - there), len(there - wanted)))
    return min(reversed(alike), key=lambda each: each.distance)


def fingerprint_of(schema: Snapshot, left_out: Iterable[str] = ()) -> Fingerprint:
    """Return what is kept of a schema.

    Args:
        schema: what is left of it.
        left_out: what is not in it that might be, in words.
    """
    standing: dict[str, list[str]] = {}
    names = {item.name for item in schema if not item.parent}
    for item in schema:
        # What goes with something that is not here stands for itself.
        owner = item.parent if item.parent in names else item.name
        standing.setdefault(owner, []).append(_text(item))
    digests = sorted(_sha256("\n".join(sorted(contents))) for contents in standing.values())
    return Fingerprint(
        f"{FORMAT}:{_sha256(''.join(digests))}",
        _sha256(json.dumps(sorted(left_out))),
        "".join(digest[:_DIGITS] for digest in digests),
    )


def _text(item: SchemaObject) -> str:
    told = [item.kind, item.name, dict(item.properties)]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digests(parts: str) -> list[str]:
    return [parts[start : start + _DIGITS] for start in range(0, len(parts), _DIGITS)]


def _format(fingerprint: Fingerprint) -> str:
    return fingerprint.whole.partition(":")[0]
