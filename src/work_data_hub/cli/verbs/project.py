"""The verbs that are about a whole project: init, eject."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from work_data_hub.io.schema.authoring.project_setup import Setup

_FILES_ONLY = "every file is as it was, or all are changed; no database was touched"
_IGNORED = "*.db *.db-journal *.db-shm *.db-wal *.db.lock env.py.before-wdh"


@verb(
    argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="that of alembic.ini (default: this one, or that of --config)",
    ),
    argument(
        "--naming-rule",
        action="store_true",
        help="name new revisions of an existing project by their time",
    ),
    argument("--check", action="store_true", help="say what it would do, and write nothing"),
    examples=("wdh db init my_project --check", "wdh db init --config orders.ini"),
    when_interrupted=_FILES_ONLY,
)
def init(call: Namespace) -> Answer:
    """Make a project, or an empty folder, use the package.

    Raises:
        UsageError: a section was named, or a folder beside a configuration.
    """
    if call.name is not None:
        raise UsageError(
            "--name does not go together with init, which changes the section [alembic]",
            hint="leave it out",
        )
    if call.folder is not None and call.config is not None:
        raise UsageError(
            "FOLDER and --config both say which project is meant", hint="leave one of them out"
        )
    from work_data_hub.io.schema.authoring.project_setup import plan_setup, set_up

    place = call.folder or Path() if call.config is None else project_config.find(call.config)
    setup = (plan_setup if call.check else set_up)(place, naming_rule=call.naming_rule)
    lines = [*setup.done] or [f"{setup.ini}: uses the package already, nothing was changed"]
    lines += [f"not taken over from the old env.py, {each}" for each in setup.left]
    if call.check:
        lines.append("nothing was written: this is what it does without --check")
    elif setup.done:
        lines += _next(setup, call.database_url)
    data = {"config": str(setup.ini), "done": list(setup.done), "left": list(setup.left)}
    return Answer(data, lines, bare=[str(setup.ini)])


@verb(examples=("wdh db eject --config my_project/alembic.ini",), when_interrupted=_FILES_ONLY)
def eject(call: Namespace) -> Answer:
    """Write a plain env.py of Alembic back; no database is touched."""
    from work_data_hub.domain.record.record import NAMES
    from work_data_hub.io.schema.authoring import eject as ejecting

    ejection = ejecting.eject(project_config.find(call.config))
    which = "the one of before init" if ejection.is_original else "written from the guarded one"
    tables = sorted(NAMES)
    lines = [
        f"{ejection.env}: plain Alembic again, {which}; nothing guards its runs",
        "no database was touched: " + ", ".join(tables) + " are still in each that was migrated",
        "by hand, where they shall go: " + " ".join(f"DROP TABLE {name};" for name in tables),
    ]
    return Answer({"env": str(ejection.env), "tables": tables}, lines, bare=[str(ejection.env)])


def _next(setup: Setup, database_url: str | None) -> list[str]:
    from work_data_hub.config.choice import said
    from work_data_hub.hints import Named, unless_found

    config, lines = unless_found(os.path.relpath(setup.ini)), []
    named = Named(config, config, None, database_url)
    if not setup.names_database and database_url is None and said(os.environ).database is None:
        lines.append("next: name the database, in DATABASE_URL or by --database-url")
    way = "next: `wdh db status` looks and changes nothing, `wdh db upgrade` migrates"
    lines.append(named.in_commands(way))
    lines.append(f"for .gitignore, a line each: {_IGNORED}")
    return lines
