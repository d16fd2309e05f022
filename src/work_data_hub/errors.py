"""Every fault that a person can meet, with the way out and a stable exit code.

    WorkDataHubError
    ├── CheckFoundError ............ 1  a check found something (pending, drift)
    ├── UsageError ................. 2  the call itself is wrong
    │   └── SettingsError .......... 2  the settings are
    ├── HistoryError ............... 3  unreadable, unknown or several revisions
    ├── RefusedError ............... 4  refused for safety
    │   └── UnusualEnvError ........ 4  init would lose what env.py does: reasons, text
    ├── LockTimeoutError ........... 5  another run did not end in time
    ├── MigrationFailedError ....... 6  a revision failed: applied, failed, pending
    ├── SeedFailedError ............ 6  a seed file failed: path, line, statement
    ├── MissingError ............... 7  something that is needed is not there
    │   └── DatabaseUnavailableError 7  the database does not answer
    └── RunInterruptedError ...... 130  Ctrl-C (the command line alone raises it)

    KeyboardInterrupt
    └── RunInterrupted ................. Ctrl-C in a run, for programs: carries that fault

An error carries what a program needs as attributes; its text is for people.
"""

from __future__ import annotations

# Not from `typing`: a short-lived command would pay a third of its time for that import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import ClassVar


class WorkDataHubError(Exception):
    """The root: one line that says what is wrong, one that says what to do.

    Args:
        message: what is wrong, one line; secrets in it are hidden.
        hint: the way out, one line; the same.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str) -> None:
        # Imported here: who meets no fault need not pay for it.
        from work_data_hub.redaction import without_secrets

        self.message = without_secrets(message)
        self.hint = without_secrets(hint)
        super().__init__(self.message)

    def hide(self, scrub: Callable[[str], str]) -> None:
        """Take secrets out of the text: what a revision raises may hold the URL."""
        self.message, self.hint = scrub(self.message), scrub(self.hint)
        self.args = (self.message,)

    def for_people(self) -> str:
        """Return the two lines that a terminal shows."""
        return f"error: {self.message}\nhint: {self.hint}"


class CheckFoundError(WorkDataHubError):
    """A check found something."""

    exit_code = 1


class UsageError(WorkDataHubError):
    """The call is wrong: an argument, a file that is not there."""


class SettingsError(UsageError):
    """The settings are wrong."""


class HistoryError(WorkDataHubError):
    """The revision files cannot answer: unreadable, unknown, or several heads."""

    exit_code = 3


class RefusedError(WorkDataHubError):
    """Refused for safety, before anything was touched."""

    exit_code = 4


class UnusualEnvError(RefusedError):
    """An env.py that cannot be replaced without a loss.

    Args:
        message: what is wrong.
        hint: the way out.
        reasons: what would be lost, each with its line.
        text: the env.py that a person begins with.
    """

    def __init__(self, message: str, *, hint: str, reasons: Sequence[str], text: str) -> None:
        from work_data_hub.redaction import without_secrets

        super().__init__(message, hint=hint)
        self.reasons = tuple(map(without_secrets, reasons))
        self.text = without_secrets(text)

    def for_people(self) -> str:
        """Return the two lines, every reason, and what to write by hand."""
        return "\n".join(
            [super().for_people(), *(f"  {each}" for each in self.reasons), "", self.text]
        )


class LockTimeoutError(WorkDataHubError):
    """Another run holds the lock and did not end in time."""

    exit_code = 5


class MigrationFailedError(WorkDataHubError):
    """A revision failed and was rolled back.

    Args:
        message: what is wrong.
        hint: the way out.
        applied: revision ids that this run finished before, in order.
        failed: the revision id that failed.
        pending: revision ids that were not reached, in order.
    """

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        applied: Sequence[str] = (),
        failed: str | None = None,
        pending: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.applied = tuple(applied)
        self.failed = failed
        self.pending = tuple(pending)


class SeedFailedError(WorkDataHubError):
    """A seed file failed and left nothing behind.

    Args:
        message: what is wrong.
        hint: the way out.
        path: the seed file.
        line: the 1-based line of the fault; that on which the statement starts where the engine
            gives no position (SQLite).
        statement: its first line.
    """

    exit_code = 6

    def __init__(self, message: str, *, hint: str, path: Path, line: int, statement: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line
        self.statement = statement


class MissingError(WorkDataHubError):
    """Something that is needed is missing: a tool, an extra, a server."""

    exit_code = 7


class DatabaseUnavailableError(MissingError):
    """The database does not answer, or may not be opened."""


class RunInterruptedError(WorkDataHubError):
    """Somebody pressed Ctrl-C; shells count it as 128 + SIGINT."""

    exit_code = 130


class RunInterrupted(KeyboardInterrupt):  # no error: what a program sees of Ctrl-C
    """Somebody pressed Ctrl-C during a run.

    Args:
        fault: what the run left, in words.
    """

    def __init__(self, fault: RunInterruptedError) -> None:
        super().__init__(fault.message)
        self.fault = fault
