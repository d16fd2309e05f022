"""The texts of runs and metrics: lines for people, and the fields of the JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from work_data_hub.cli import screen
from work_data_hub.domain.runs.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal

    from work_data_hub.io.runs.run_list import Metric, Run

_ID_LETTERS = 8
_STYLES = {"failed": "bold red", "running": "yellow"}


def run_line(run: Run) -> str:
    """Return a run as a line: how its id ends, when, status, how long, and what is to be known."""
    short = str(run.execution_id)[-_ID_LETTERS:]
    when, took = _time(run.started_at), _took(run.duration)
    line = f"{short}  {when}  {run.status:<9} {took:>9}  {run.pipeline}"
    if counts := _counts(run.row_counts):
        line += f" ({counts})"
    if note := _note(run):
        line += f": {note}"
    shown = screen.styled(run.status, _STYLES.get(run.status, ""), sys.stdout)
    return screen.cut(line, sys.stdout).replace(run.status, shown, 1)


def run_lines(run: Run, metrics: Sequence[Metric]) -> list[str]:
    """Return all of a run."""
    told = {
        "Run": f"{run.execution_id}",
        "Pipeline": run.pipeline,
        "Status": f"{run.status} (no heartbeat since {_time(run.last_sign)})"
        if run.is_silent
        else run.status,
        "Started": _time(run.started_at),
        "Ended": "" if run.completed_at is None else _time(run.completed_at),
        "Took": _took(run.duration),
        "File": run.input_file or "",
        "Rows": _counts(run.row_counts),
    }
    lines = [f"{name:<10} {text}" for name, text in told.items() if text]
    lines += [f"{'Metric':<10} {_metric(metric)}" for metric in metrics]
    return lines + [f"{'Error':<10} {line}" for line in (run.error_details or "").splitlines()]


def series_lines(series: Sequence[Sequence[Metric]]) -> list[str]:
    """Return each metric over time as a line: its bars, the newest value, the range, since when."""
    pipelines = max((len(each[-1].pipeline) for each in series), default=0)
    names = max((len(each[-1].name) for each in series), default=0)
    return [
        f"{each[-1].pipeline:<{pipelines}}  {each[-1].name:<{names}}  {_over_time(each)}"
        for each in series
    ]


def run_data(run: Run) -> dict[str, Any]:
    """Return the fields of a run."""
    duration = run.duration
    return {
        "execution_id": str(run.execution_id),
        "pipeline": run.pipeline,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "completed_at": None if run.completed_at is None else run.completed_at.isoformat(),
        "seconds": None if duration is None else duration.total_seconds(),
        "input_file": run.input_file,
        "row_counts": run.row_counts,
        "error_details": run.error_details,
        "last_sign": run.last_sign.isoformat(),
        "is_silent": run.is_silent,
    }


def metric_data(metric: Metric) -> dict[str, Any]:
    """Return the fields of a metric."""
    return {
        "metric": metric.name,
        "value": None if metric.value is None else float(metric.value),
        "recorded_at": metric.recorded_at.isoformat(),
        "execution_id": str(metric.execution_id),
        "metadata": metric.context,
    }


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def series_data(series: Sequence[Metric]) -> dict[str, Any]:
    """Return the fields of a metric over time."""
    values = [metric_data(metric) for metric in series]
    return {"pipeline": series[-1].pipeline, "metric": series[-1].name, "values": values}


def _over_time(series: Sequence[Metric]) -> str:
    values = [metric.value for metric in series]
    known = [value for value in values if value is not None]
    limits = f" ({_number(min(known))} to {_number(max(known))})" if known else ""
    return (
        f"{sparkline(values)}  {_number(values[-1])}{limits}, {counted(len(values), 'value')} since"
        f" {_time(series[0].recorded_at)}"
    )


def _metric(metric: Metric) -> str:
    context = ", ".join(f"{key}={value}" for key, value in (metric.context or {}).items())
    return f"{metric.name} {_number(metric.value)}{f' ({context})' if context else ''}"


def _note(run: Run) -> str:
    if run.is_silent:
        return f"no heartbeat since {_time(run.last_sign)}"
    return (run.error_details or "").partition("\n")[0]


def _counts(row_counts: Any) -> str:
    if not isinstance(row_counts, dict):  # written by hand, it may be anything
        return "" if row_counts is None else str(row_counts)
    return ", ".join(f"{step} {count}" for step, count in row_counts.items())


def _number(value: Decimal | None) -> str:
    if value is None:
        return "-"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _took(duration: timedelta | None) -> str:
    return "" if duration is None else screen.duration(duration.total_seconds())
