"""The texts of revisions as they were applied to databases of one's own, kept on this machine.

They are in a folder of the user's state, one file for each text, named by its digest. A database
could hold them too, but whoever can write to it could then have code of theirs run by whoever
takes a revision back (docs/adr/0014).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from work_data_hub.domain.revisions.digest import digest
from work_data_hub.io.schema.revisions.cache import is_only_ours

_MOST_TEXTS = 2_000


class AppliedTexts:
    """The texts that this user applied on this machine. No fault of theirs stops a run."""

    def __init__(self) -> None:
        self._folder = _state_folder()
        self._is_ready = False

    def keep(self, text: bytes) -> None:
        """Keep a text; one that cannot be written is not kept."""
        if self._folder is None:
            return
        path = self._folder / f"{digest(text)}.py"
        with contextlib.suppress(OSError):
            if path.exists():
                os.utime(path)
                return
            self._make_ready(self._folder)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(temporary).replace(path)

    def find(self, wanted: str) -> bytes | None:
        """Return the text with this digest; None where it was not kept, or is not ours."""
        if self._folder is None:
            return None
        try:
            with (self._folder / f"{wanted}.py").open("rb") as file:
                if not is_only_ours(os.fstat(file.fileno())):
                    return None
                text = file.read()
        except OSError:
            return None
        return text if digest(text) == wanted else None

    def _make_ready(self, folder: Path) -> None:
        """Make the folder, and let go of the texts that were applied longest ago."""
        if self._is_ready:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.scandir(folder) as entries:
            texts = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in texts[_MOST_TEXTS:]:
            Path(entry.path).unlink(missing_ok=True)
        self._is_ready = True


def _state_folder() -> Path | None:
    """Return where the texts are; None for a user without a home."""
    folder = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not folder.is_absolute():  # its specification: anything else is to be ignored
        try:
            folder = Path.home() / ".local" / "state"
        except RuntimeError:
            return None
    return folder / "work-data-hub" / "applied"
