"""What a revision would lose, and may: by dropping it itself, or by a comment of its SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.sqlite.text import folded
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_data_hub.domain.sql.statement import Action
    from work_data_hub.domain.sqlite.ddl import Clause

_SAID = re.compile(r"/\*\s*loses:(.*?)\*/", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Loss:
    """Something that a revision would lose without having asked for it.

    Attributes:
        what: kind, name and table.
        keep: how to write the revision so that it is kept, or so that its loss is asked for.
        name: of what is counted or explained in ``what``: the same in every database.
        may_go: whether a comment can allow it.
    """

    what: str
    keep: str
    name: str = ""
    may_go: bool = True

    @property
    def said(self) -> str:
        """What a comment calls it, which it must not end."""
        return (self.name or self.what).replace("*/", "* /")


def refuse(losses: Sequence[Loss], way_out: str = "") -> None:
    """Roll the revision back when it would lose anything.

    Args:
        losses: all of it.
        way_out: what can be done besides.

    Raises:
        RefusedError: names all of it, and how to keep each.
    """
    if losses:
        what = "; ".join(dict.fromkeys(loss.what for loss in losses))
        raise RefusedError(f"this would be lost: {what}", hint=_kept(losses) + way_out)


def _kept(losses: Iterable[Loss]) -> str:
    """Say how to keep each loss; what is said of several in the same words is said once."""
    lines: dict[str, list[str]] = {}
    for keep in dict.fromkeys(loss.keep for loss in losses):
        words, _, line = keep.partition(": ")
        lines.setdefault(words, []).extend([line] if line else [])
    return "; ".join(
        f"{words}: {', '.join(found)}" if found else words for words, found in lines.items()
    )


class Consent:
    """What may go, as far as the statements of a revision have said by now."""

    def __init__(self) -> None:
        self._may_go: list[str] = []
        self._dropped: set[tuple[str, str]] = set()

    def note(self, statement: str) -> None:
        """Note what the comments of a statement say."""
        self._may_go += [_plain(text) for text in _SAID.findall(statement)]

    def note_drop(self, action: Action) -> None:
        """Note what a statement drops by its name, or makes again."""
        named = (action.kind, folded(action.name))
        if action.verb == "DROP":
            self._dropped.add(named)
        elif action.verb == "CREATE":
            self._dropped.discard(named)

    def names(self, kind: str, name: str) -> bool:
        """Whether an index or a trigger may go."""
        return (kind.upper(), folded(name)) in self._dropped

    def covers(self, loss: Loss) -> bool:
        """Whether something may be lost."""
        names = "|".join(re.escape(_plain(name)) for name in (loss.what, loss.said))
        said = re.compile(f"(?:^|;) ?(?:{names}) ?(?:;|$)")
        return any(said.search(text) for text in self._may_go)

    def refuse(self, losses: Iterable[Loss]) -> None:
        """Roll the revision back when it would lose what it did not say, and say how to say it.

        Raises:
            RefusedError: as ``refuse``.
        """
        left = [loss for loss in losses if not (loss.may_go and self.covers(loss))]
        names = "; ".join(dict.fromkeys(loss.said for loss in left if loss.may_go))
        way_out = f"; if it is to go, say so in a statement: /* loses: {names} */" if names else ""
        refuse(left, way_out)


def described(clause: Clause) -> str:
    """Return what people call a constraint."""
    if clause.name is not None:
        return f"{clause.kind} {clause.name}"
    return " ".join(clause.text.split())


def drop_first(clause: Clause) -> str:
    """Return how a batch operation says that a constraint is to go."""
    if clause.name is not None:
        return f"say so in the same batch: batch_op.drop_constraint({clause.name!r})"
    if clause.kind == "CHECK":
        return (
            "restate those that stay: table_args=(sa.CheckConstraint(...),); when none does,"
            " sa.CheckConstraint('1')"
        )
    if clause.kind == "GENERATED":
        return "drop the generated column, or give it another expression, in a batch before"
    return "drop it first: batch_alter_table(..., naming_convention=...) gives it a name for that"


def _plain(text: str) -> str:
    return folded(" ".join(text.split()))
