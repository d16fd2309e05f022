"""Where an alembic.ini is; where the package's own migrations, seeds and pages are."""

from __future__ import annotations

from pathlib import Path

from work_data_hub.errors import MissingError, UsageError

_PACKAGE = Path(__file__).resolve().parents[3]
# In a wheel they travel inside the package; in a checkout they are the repository's own.
_CANDIDATES = (_PACKAGE / "_project", _PACKAGE.parents[1])


def alembic_ini() -> Path:
    """Return the path of WorkDataHub's own alembic.ini.

    Raises:
        MissingError: when the installation is not whole.
    """
    for folder in _CANDIDATES:
        if (folder / "alembic.ini").is_file():
            return folder / "alembic.ini"
    raise MissingError(
        f"alembic.ini is neither in {_CANDIDATES[0]} nor in {_CANDIDATES[1]}",
        hint="install work-data-hub again",
    )


def meant(named: str | Path | None) -> Path:
    """Return the absolute path of the alembic.ini that is meant: the named one, else our own.

    Raises:
        UsageError: there is no such file.
        MissingError: as ``alembic_ini``.
    """
    if named is None:
        return alembic_ini()
    file = Path(named)
    if not file.is_file():
        raise UsageError(
            f"there is no Alembic configuration {file}", hint="name the project's alembic.ini"
        )
    return file.absolute()


def is_own(ini: Path) -> bool:
    """Whether an alembic.ini is WorkDataHub's own, and not that of another project."""
    return ini.absolute() == alembic_ini()


def database_folder(ini: Path) -> Path | None:
    """Return where the default database of a project lies; None for the settings' own root.

    The folder inside of an installed package is no place for a database.

    Args:
        ini: the project's alembic.ini.
    """
    return None if is_own(ini) else ini.absolute().parent


def page(name: str) -> Path:
    """Return the path of a page of the guide.

    Raises:
        MissingError: when the installation is not whole.
    """
    found = alembic_ini().parent / "docs" / name
    if not found.is_file():
        raise MissingError(f"{found} is missing", hint="install work-data-hub again")
    return found


def seed_file() -> Path:
    """Return the path of the seed data that is shipped."""
    return alembic_ini().parent / "io" / "schema" / "fixtures" / "test_data.sql"
