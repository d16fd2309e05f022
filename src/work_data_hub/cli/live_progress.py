"""The live display of a run on a terminal: which step runs, since when, and what it waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from work_data_hub.cli import screen
from work_data_hub.cli.progress import LineProgress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from work_data_hub.domain.run.plan import Plan, Step

_FRAMES = "|/-\\"
_FRAMES_EACH_SECOND = 8


class LiveProgress(LineProgress):
    """Writes a line for each step, and below them one that lives while a step runs.

    rich is imported with the first step, not before: most runs have nothing to do.

    Args:
        err: the terminal.
    """

    def __init__(self, err: TextIO) -> None:
        super().__init__(err)
        self._live: Live | None = None
        self._running: Step | None = None
        self._since = 0.0
        self._reason = ""

    def planned(self, plan: Plan) -> None:
        """Begin to show, if there is anything to run."""
        super().planned(plan)
        if plan.steps and self._live is None:
            from rich.live import Live

            self._live = Live(
                console=screen.console(self._err),
                get_renderable=self._now,
                refresh_per_second=_FRAMES_EACH_SECOND,
                transient=True,
                redirect_stdout=False,  # what a revision prints is not ours to move
            )
            self._live.start()

    def started(self, step: Step) -> None:
        """Show the step."""
        if step is not self._running:
            self._running, self._since = step, time.monotonic()
        self._reason = ""

    def finished(self, step: Step, seconds: float) -> None:
        """Write its line, and show it no more."""
        self._running, self._reason = None, ""
        super().finished(step, seconds)

    def waiting(self, reason: str) -> None:
        """Show for whom the run waits, and keep a line of it."""
        self._reason = reason
        super().waiting(reason)

    def close(self) -> None:
        """Take the live line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _write(self, line: str) -> None:
        if self._live is None:
            super()._write(line)
            return
        from rich.text import Text

        mark, style = ("... ", "yellow") if self._reason else ("ok  ", "green")
        self._live.console.print(Text(mark, style=style) + Text(line), soft_wrap=True)

    def _now(self) -> Text:
        from rich.text import Text

        if self._running is None:
            return Text("")
        seconds = time.monotonic() - self._since
        frame = _FRAMES[int(seconds * _FRAMES_EACH_SECOND) % len(_FRAMES)]
        text = f"{frame}   {self._running}  {seconds:.1f} s"
        if self._reason:
            text += "  (waiting)"
        return Text(text, style="bold", overflow="ellipsis", no_wrap=True)
