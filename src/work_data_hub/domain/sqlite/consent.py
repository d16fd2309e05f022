"""What a revision said may be lost: by dropping it itself, or in a comment of its SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from work_data_hub.domain.sqlite.loss import Loss

if TYPE_CHECKING:
    from work_data_hub.domain.sql.statement import Action

_SAID = re.compile(r"/\*\s*loses:(.*?)\*/", re.DOTALL | re.IGNORECASE)


class Consent:
    """What may go, as far as the statements of a revision have said by now."""

    def __init__(self) -> None:
        self._may_go: list[str] = []

    def note(self, action: Action, statement: str) -> None:
        """Note what a statement says."""
        self._may_go += [text.strip().lower() for text in _SAID.findall(statement)]
        if action.verb == "DROP" and action.kind in ("INDEX", "TRIGGER"):
            self._may_go.append(f"{action.kind} {action.name}".lower())

    def names(self, kind: str, name: str) -> bool:
        """Whether an index or a trigger may go."""
        return f"{kind} {name}".lower() in self._may_go

    def covers(self, loss: Loss) -> bool:
        """Whether something may be lost."""
        return any(loss.what.lower() in text for text in self._may_go)


def with_way_out(loss: Loss) -> Loss:
    """Return the loss with what a revision must say to agree to it."""
    return Loss(loss.what, f"{loss.keep}; if it is to go, say so: /* loses: {loss.what} */")
