#!/usr/bin/env python3
"""Create, migrate and seed a WorkDataHub database, and show what is in it."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXAMPLES = """\
examples:
  python scripts/db_setup.py --seed
      create and upgrade the default SQLite database, and load the shipped seed data
  python scripts/db_setup.py --database-url postgresql://user:password@localhost:5432/hub
      create that PostgreSQL database if it is not there, and upgrade it
  python scripts/db_setup.py --seed-file my_rows.sql
      upgrade, then load a file of one's own in one transaction
  python scripts/db_setup.py --downgrade
      take back the last revision; --downgrade base takes back all of them

exit codes: 0 done, 2 usage or settings, 3 history, 4 refused, 5 locked, 6 failed, 7 missing
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as every other fault is said, without the password of a URL."""

    def error(self, message: str) -> NoReturn:
        from work_data_hub.errors import UsageError

        raise UsageError(message, hint="`python scripts/db_setup.py --help` shows how it is called")


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        UsageError: it is wrong.
    """
    parser = _Parser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database-url", metavar="URL", help="default: what the settings say")
    verb = parser.add_mutually_exclusive_group()
    verb.add_argument("--revision", default="head", help="upgrade to this revision (default: head)")
    verb.add_argument(
        "--downgrade",
        nargs="?",
        const="-1",
        metavar="REVISION",
        help="downgrade instead, one step or to REVISION",
    )
    parser.add_argument(
        "--confirm",
        metavar="NAME",
        help="the database's name, which staging and prod require",
    )
    parser.add_argument("--seed", action="store_true", help="load the shipped seed data")
    parser.add_argument(
        "--seed-file", type=Path, metavar="FILE", help="load this SQL file (means --seed)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args(argv)
    if arguments.downgrade is not None and (arguments.seed or arguments.seed_file):
        parser.error("--downgrade and --seed do not go together")
    if "" in (arguments.downgrade, arguments.revision, arguments.database_url):
        parser.error("an empty value: write the revision or the URL, or leave the option out")
    return arguments


def set_up(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the arguments say and return what a person or program wants to know."""
    from work_data_hub.config import choose_database, get_settings
    from work_data_hub.io.schema import migration_runner
    from work_data_hub.io.schema.database.provisioning import ensure_database
    from work_data_hub.io.schema.database.row_counts import row_counts
    from work_data_hub.io.schema.database.seed import refuse_unconfirmed
    from work_data_hub.io.schema.database.seed_file import read_seed_file
    from work_data_hub.io.schema.engine import connect
    from work_data_hub.io.schema.revisions.project_files import seed_file

    target = choose_database(
        get_settings(), arguments.database_url, explicit_source="--database-url"
    )
    path = arguments.seed_file or (seed_file() if arguments.seed else None)
    if path is not None:
        read_seed_file(path)  # refused before the database is touched
    if arguments.downgrade is not None:
        run = migration_runner.downgrade(target.url, arguments.downgrade, confirm=arguments.confirm)
    else:
        if path is not None:
            refuse_unconfirmed(target.url, path, arguments.confirm)
        ensure_database(target.url)
        run = migration_runner.upgrade(target.url, arguments.revision)
    seeds = migration_runner.seed(target.url, path, confirm=arguments.confirm) if path else None
    with connect(target.url) as connection:
        tables = row_counts(connection)
    return {
        "version": 1,
        "database": str(target),
        "decided_by": target.source,
        "revision": list(run.after),
        "steps": [str(step) for step in run.steps],
        "journalled": list(run.journalled),
        "seed_file": str(path) if path else None,
        "seed_rows": seeds.rows if seeds else None,
        "tables": tables,
    }


def _lines(result: dict[str, Any]) -> Iterator[str]:
    """Give the result for people."""
    at = ", ".join(result["revision"]) or "base (no revision)"
    yield f"Database  {result['database']}  ({result['decided_by']})"
    yield f"Revision  {at}"
    for step in [*result["journalled"], *result["steps"]] or ["nothing had to be done"]:
        yield f"Schema    {step}"
    if result["seed_file"]:
        rows = result["seed_rows"]
        yield f"Seeds     {f'{rows} rows loaded' if rows else 'nothing had to be done'}"
    for name, rows in result["tables"].items():
        yield f"Table     {name:<24} {rows:>9,} rows"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)-7s %(message)s")
    given = sys.argv[1:] if argv is None else argv
    try:
        from work_data_hub import patience
        from work_data_hub.cli import streams
        from work_data_hub.cli.parser import refuse_misplaced_url
        from work_data_hub.errors import WorkDataHubError
        from work_data_hub.hints import Named
    except ModuleNotFoundError:
        if {"-h", "--help"} & {*given}:
            parse_arguments(given)
        print(
            "error: the package work_data_hub is not installed for this Python\n"
            "hint: run `make install`, then use .venv/bin/python",
            file=sys.stderr,
        )
        return 7
    named = Named()
    try:
        streams.prepare()
        refuse_misplaced_url(given)
        arguments = parse_arguments(given)
        named = Named(database_url=arguments.database_url)
        with patience.listening(lambda what: streams.say(f"{what} ...\n", sys.stderr)):
            result = set_up(arguments)
        shown = [json.dumps(result, indent=2)] if arguments.json else _lines(result)
        streams.write("".join(f"{line}\n" for line in shown), sys.stdout)
    except WorkDataHubError as error:
        error.hint = named.in_commands(error.hint)
        streams.say(f"{error.for_people()}\n", sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        streams.say("interrupted: the running step was rolled back\n", sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
