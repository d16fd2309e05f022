"""Which project is meant: the alembic.ini that was named, or the nearest one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.schema.revisions import project_files

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from work_data_hub.domain.finding import Finding
    from work_data_hub.hints import Named

# In the place of a file: outside of the repository it must be asked for.
OWN = "work_data_hub"


def find(named: Path | None) -> Path:
    """Return the project's alembic.ini.

    Args:
        named: what ``--config`` says, ``work_data_hub`` for WorkDataHub's own; without it, the
            file is taken from the working directory or the nearest folder above it that has one.

    Raises:
        UsageError: the named file is not there, or nothing is named and there is none.
        MissingError: WorkDataHub's own is not there.
    """
    if named is not None:
        is_own = str(named) == OWN and not named.is_file()
        return project_files.alembic_ini() if is_own else project_files.meant(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "alembic.ini").is_file():
            return project_files.meant(folder / "alembic.ini")
    raise UsageError(
        f"there is no alembic.ini in {here}, nor above it",
        hint="name it: --config FILE; `wdh db init` makes a project; --config work_data_hub means"
        " WorkDataHub's own",
    )


def named(call: Namespace) -> Named:
    """Return what a call named, for the commands that are printed to whoever made it."""
    # Only for those who are told what to type.
    from work_data_hub.hints import Named, unless_found

    try:
        file = find(call.config)
    except WorkDataHubError:
        return Named(call.config and str(call.config), None, call.name, call.database_url)
    is_typed = call.config is not None and call.config.is_file()
    return Named(
        call.config and unless_found(call.config),
        unless_found(call.config if is_typed else os.path.relpath(file)),
        call.name,
        call.database_url,
    )


def in_hints(call: Namespace, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings whose hints name what a call named."""
    if not findings:
        return ()
    typed = named(call)
    return tuple(each.with_hint(typed.in_commands(each.hint)) for each in findings)
