"""What a run says of itself at one moment, as plain data: for its tables, and for a spool file.

An entry is whole: it has all of the run's row, and the metrics that were not said before, each with
its id. Whoever loads it twice, or after a later one, changes nothing by that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from work_data_hub.errors import UsageError
from work_data_hub.redaction import without_secrets

ENDED = ("success", "failed", "cancelled")
LONGEST_PIPELINE_NAME = 150
LONGEST_METRIC_NAME = 100
_UNREADABLE = "this is no entry of a run"


class Entry(NamedTuple):
    """See the module.

    Attributes:
        run: the row of ``pipeline_executions``: column and value, times as ISO text.
        metrics: rows of ``data_quality_metrics``, the same.
    """

    run: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether the run ended with it."""
        return self.run["status"] in ENDED


def entry_of(line: str) -> Entry:
    """Return what a line of a spool file says: the JSON of an entry's fields.

    Raises:
        ValueError: when it says nothing of the kind.
    """
    found = json.loads(line)
    try:
        entry = Entry(found["run"], tuple(found["metrics"]))
        is_entry = isinstance(entry.run["status"], str) and "execution_id" in entry.run
        is_entry = is_entry and all("metric_id" in metric for metric in entry.metrics)
    except (KeyError, TypeError) as error:
        raise ValueError(_UNREADABLE) from error
    if not is_entry:
        raise ValueError(_UNREADABLE)
    return entry


def checked_name(name: Any, what: str, longest: int) -> str:
    """Return the name of a pipeline, a step or a metric, if it is one.

    Raises:
        UsageError: it is empty, too long for its column, or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"the name of a {what} is empty", hint="name it by a word or two")
    if len(name) > longest:
        raise UsageError(
            f"the name of a {what} has {len(name)} characters, and {longest} at most are kept",
            hint="shorten it",
        )
    return clean(name)


def clean(text: str) -> str:
    """Return a text that both engines can keep: without NUL, and without half characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def as_plain_data(value: Any) -> Any:
    """Return what JSON can say of a value; of what it cannot, the text. Secrets are hidden."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): as_plain_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain_data(each) for each in value]
    return clean(without_secrets(str(value)))
