"""The live display of a run on a terminal: how far it is, which step runs, what it waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from work_data_hub.cli import screen
from work_data_hub.cli.progress import LineProgress

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from work_data_hub.domain.run.plan import Plan, Step

_FRAMES = "|/-\\"
_FRAMES_EACH_SECOND = 8
_MARK_COLUMNS = 4
_LEAST_BAR_COLUMNS, _MOST_BAR_COLUMNS = 5, 40


class LiveProgress(LineProgress):
    """Writes a line for each step, and below them what lives while a step runs.

    rich is imported with the first step, not before: most runs have nothing to do.

    Args:
        err: the terminal.
    """

    def __init__(self, err: TextIO) -> None:
        super().__init__(err)
        self._live: Live | None = None
        self._plan: Plan | None = None
        self._running: Step | None = None
        self._began = self._since = 0.0
        self._reason = ""

    def planned(self, plan: Plan) -> None:
        """Begin to show, if there is anything to run."""
        super().planned(plan)
        self._plan, self._began = plan, time.monotonic()
        if plan.steps and self._live is None:
            from rich.live import Live

            self._live = Live(
                console=screen.console(self._err),
                get_renderable=self._now,
                refresh_per_second=_FRAMES_EACH_SECOND,
                transient=True,
                redirect_stdout=False,  # what a revision prints is not ours to move
                vertical_overflow="crop",
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
        """Take away what lives: nothing of it is true any more, whatever ended the run."""
        if self._live is not None:
            self._running, self._plan = None, None
            self._live.stop()
            self._live = None

    def _write(self, line: str) -> None:
        if self._live is None:
            super()._write(line)
            return
        from rich.text import Text

        mark, style = ("... ", "yellow") if self._reason else ("ok  ", "green")
        # Who is waited for is said whole, in as many lines as it takes.
        columns = None if self._reason else screen.columns(self._err) - _MARK_COLUMNS
        text = Text(mark, style=style) + Text(line if columns is None else _fitted(line, columns))
        self._live.console.print(text, soft_wrap=True)

    def _now(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        if self._running is None or self._plan is None:
            return Group()
        seconds, columns = time.monotonic() - self._since, screen.columns(self._err)
        frame = _FRAMES[int(seconds * _FRAMES_EACH_SECOND) % len(_FRAMES)]
        step = _fitted(f"{self._running}  {seconds:.1f} s", columns - _MARK_COLUMNS)
        lines: list[Text | Table] = [Text(f"{frame}   {step}", style="bold", no_wrap=True)]
        if self._reason:
            waits = _cut(f"    waiting: {self._reason.removeprefix('waiting: ')}", columns)
            lines.append(Text(waits, style="yellow", no_wrap=True))
        return Group(*lines, self._bar(self._plan, columns))

    def _bar(self, plan: Plan, columns: int) -> Table:
        """Return how far the run is, as a bar and in figures."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done, now = len(self.finished_steps), time.monotonic()
        figures = f"{done}/{len(plan.steps)}  {screen.duration(now - self._began)}"
        left = plan.seconds_left(done, now - self._since)
        if left is not None:
            figures += f", about {screen.duration(left)} left"
        room = columns - _MARK_COLUMNS - len(figures) - 2
        grid = Table.grid(padding=(0, 2, 0, 0))
        if room < _LEAST_BAR_COLUMNS:
            grid.add_row("   ", Text(_cut(figures, columns - _MARK_COLUMNS), no_wrap=True))
        else:
            width = min(room, _MOST_BAR_COLUMNS)
            bar = ProgressBar(total=len(plan.steps), completed=done, width=width)
            grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
            grid.add_row(Text("  "), bar, Text(figures, no_wrap=True))
        return grid


def _fitted(line: str, columns: int) -> str:
    """Return a line cut in its middle, so that the figures at its end stay."""
    text, space, end = line.rpartition("  ") if "  " in line else line.rpartition(" (")
    return f"{_cut(text, max(1, columns - len(space) - len(end)))}{space}{end}"


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"
