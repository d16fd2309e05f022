"""Checks that every project wants of its migrations; one line in a test module switches them on.

    from work_data_hub.testing.checks import *  # noqa: F403

or by their names, those that it wants. They use the options of the plugin (`--wdh-config`,
`--wdh-engine`, `--wdh-seeds`, ...); those on databases run once for each engine that is asked
for. A module that needs another project, such as one with seeds, overrides `wdh_project`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_data_hub.domain.finding import Finding
from work_data_hub.errors import CheckFoundError, WorkDataHubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import URL

    from work_data_hub.testing.databases import MigratedDatabases
    from work_data_hub.testing.project import Project

__all__ = [
    "test_every_revision_goes_up_down_and_up_again",
    "test_models_equal_migrations",
    "test_models_make_what_the_migrations_make",
    "test_names_follow_the_rule",
    "test_no_revision_imports_application_code",
    "test_there_is_a_single_head",
    "test_upgrade_from_each_past_revision_keeps_the_rows",
]


def test_there_is_a_single_head(wdh_project: Project) -> None:
    """One revision is the newest: two of them are two developers who did not merge."""
    from work_data_hub.domain.revisions.verification import ONE_ON_TOP_OR_JOINED

    with _in_short():
        heads = sorted(info.revision for info in wdh_project.history if info.is_head)
        if len(heads) != 1:
            raise CheckFoundError(
                f"there are {len(heads)} heads: {', '.join(heads)}" if heads else "no revision",
                hint=ONE_ON_TOP_OR_JOINED,
            )


def test_names_follow_the_rule(wdh_project: Project) -> None:
    """Each file is called ``YYYYMMDD_HHMM_description.py``, and its id is the time part.

    It is skipped in a project that has not switched the naming rule on.
    """
    from work_data_hub.domain.revisions.verification import misnamed

    with _in_short():
        if not wdh_project.names_by_time:
            pytest.skip("the project does not name its revisions by their time")
        files = [(info.revision, Path(info.path).name) for info in wdh_project.history]
        _none_of(
            "revision files do not follow the rule YYYYMMDD_HHMM_description.py",
            [found for revision, name in files if (found := misnamed(revision, name))],
            hint="rename a file only before others have applied it; the id is its time part",
        )


def test_no_revision_imports_application_code(wdh_project: Project) -> None:
    """A revision must mean the same in ten years, when the application has changed."""
    from work_data_hub.testing.imported_modules import (
        code_folders,
        imported_names,
        is_own_code,
    )

    with _in_short():
        folders = code_folders(wdh_project.alembic_ini)
        files = [Path(info.path) for info in wdh_project.history]
        _none_of(
            "revisions import application code",
            [
                Finding("application-code", f"imports {name}", file.name, line)
                for file in files
                for name, line in imported_names(file).items()
                if is_own_code(name, folders)
            ],
            hint="write what it needs into the revision itself",
        )


def test_every_revision_goes_up_down_and_up_again(
    wdh_project: Project, empty_database: URL, migrated_databases: MigratedDatabases
) -> None:
    """Downgrade gives the schema that was there before, and a second upgrade the same again."""
    from work_data_hub.testing.round_trip import round_trip

    with _in_short():
        round_trip(wdh_project, empty_database, migrated_databases.empty)


def test_models_equal_migrations(wdh_project: Project, migrated_database: URL) -> None:
    """`alembic check` finds no difference between the models and the migrated database."""
    with _in_short():
        _none_of(
            "the migrated database differs from the models",
            wdh_project.check(migrated_database),
            hint='alembic revision --autogenerate -m "..." writes the revision that is missing',
        )


def test_models_make_what_the_migrations_make(
    wdh_project: Project, migrated_database: URL, migrated_databases: MigratedDatabases
) -> None:
    """What `metadata.create_all` makes is what the migrations made of the same tables.

    So differences are found that `alembic check` cannot see: in a CHECK, a default, a primary
    key, a comment, the labels of an enum, or how an index is built.
    """
    from work_data_hub.testing.models import compare_models

    with _in_short():
        _none_of(
            "the migrations made something else than the models make",
            [*map(str, compare_models(wdh_project, migrated_database, migrated_databases.fresh))],
            hint="write the revision that is missing, correct the models, or excuse it:"
            " wdh_models_excused",
        )


def test_upgrade_from_each_past_revision_keeps_the_rows(
    wdh_project: Project, empty_database: URL
) -> None:
    """A database of any age, with rows in it, reaches the heads with its rows.

    It is skipped where there are no seeds: nothing is known then of what an upgrade keeps.
    """
    from work_data_hub.testing.kept_rows import keep_rows

    with _in_short():
        if not wdh_project.seeds:
            pytest.skip("no rows: --wdh-seeds FILE, or wdh_seeds in pytest's ini file, gives some")
        keep_rows(wdh_project, empty_database)


def _none_of(fault: str, found: Sequence[Finding | str], *, hint: str) -> None:
    if found:
        error = CheckFoundError(fault, hint=hint)
        for each in found:
            error.add_note(str(each))
        raise error


@contextlib.contextmanager
def _in_short() -> Iterator[None]:
    """Fail with the fault in a few lines: the code of a check says nothing about the project."""
    try:
        yield
    except WorkDataHubError as error:
        lines = "".join(f"\n  {line}" for line in getattr(error, "__notes__", ()))
        text = f"error: {error.message}{lines}\nhint: {error.hint}"
        raise pytest.fail.Exception(text, pytrace=False) from None
