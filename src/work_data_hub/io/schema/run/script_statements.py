"""What a script has beside the SQL of the revisions: where it starts, time-outs, the journal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from work_data_hub.io.schema.record import history_check
from work_data_hub.io.schema.record.framework_tables import framework_tables
from work_data_hub.io.schema.record.runner import this_runner
from work_data_hub.io.schema.run.session_settings import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

    from work_data_hub.config.plain_settings import PlainSettings
    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.record.journal import SourceMark

# What psql and sqlite3 must be told, so that they stop at the first error.
FOR_THE_SHELL = {
    "postgresql": "\\set ON_ERROR_STOP on\n\n",
    "sqlite": ".bail on\n.timeout 30000\n\n",
}
_STEP = "work_data_hub_step"
_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')"
_POSTGRESQL_CHECK = """\
DO $work_data_hub$
DECLARE found text;
BEGIN
    SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num), 'base')
      INTO found FROM {table};
    IF found <> {start} THEN
        RAISE EXCEPTION 'the script goes on from %, and the database is at %', {start}, found;
    END IF;
END
$work_data_hub$;"""
# SQLite raises by name only what a constraint refuses.
_SQLITE_CHECK = """\
DROP TABLE IF EXISTS temp.{step};

CREATE TEMPORARY TABLE {step} (
    found TEXT CONSTRAINT {name} CHECK (found = {start}),
    started_at TEXT DEFAULT ({now})
);

INSERT INTO {step} (found) SELECT coalesce(group_concat(version_num, ', '), 'base')
  FROM (SELECT version_num FROM {table} ORDER BY version_num);"""
_POSTGRESQL_IF_THERE = """\
DO $work_data_hub$
BEGIN
    IF to_regclass({name}) IS NOT NULL THEN
{statement};
    END IF;
END
$work_data_hub$;"""


class ScriptStatements:
    """Writes what the script of one call has beside the SQL of the revisions.

    Args:
        history: the name of the version table.
        schema: its schema; None for the one that the session finds.
        settings: of the session, for the time-outs.
        has_journal: whether the database is known to have a journal; PostgreSQL looks for it when
            the script runs.

    Attributes:
        heads_after: where the database is after the last step.
    """

    def __init__(
        self, history: str, schema: str | None, settings: PlainSettings, *, has_journal: bool
    ) -> None:
        self._history = history
        self._schema = schema
        self._settings = settings
        self._has_journal = has_journal
        self._lacks_table = False
        self._running: tuple[Step, SourceMark | None, tuple[str, ...]] | None = None
        self.heads_after: tuple[str, ...] = ()

    def begin_script(self, context: MigrationContext) -> None:
        """Write the time-outs, and listen to what Alembic writes."""
        self._impl = context.impl
        self._dialect = context.dialect
        self._write = context.impl.static_output
        context.impl.static_output = self._output  # type: ignore[method-assign]
        if self._dialect.name == "postgresql":
            for name in ("lock_timeout", "statement_timeout"):
                value = milliseconds(getattr(self._settings, name))
                self._write(f"SET {name} = {self._literal(value)};")

    def begin_step(self, step: Step, script: Script | None, heads: tuple[str, ...]) -> None:
        """Note what comes next, and where the database must be."""
        source = history_check.source_mark(history_check.source_text(script))
        self._running = step, source, heads
        # Alembic creates the version table where a script starts at nothing.
        self._lacks_table = not heads

    def check_start(self) -> None:
        """Write the check that the database is where the step starts."""
        assert self._running is not None
        start = ", ".join(sorted(self._running[2])) or "base"
        text = _POSTGRESQL_CHECK if self._dialect.name == "postgresql" else _SQLITE_CHECK
        name = f"the script goes on from {start}, and the database is not there"
        self._write(
            text.format(
                table=self._named(self._history),
                start=self._literal(start),
                name=self._quoted(name),
                step=_STEP,
                now=_SQLITE_NOW,
            )
        )

    def write_journal(self, *, heads: set[str], **_: Any) -> None:
        """Write the statement that journals the step (Alembic's ``on_version_apply``)."""
        assert self._running is not None
        step, source = self._running[:2]
        self.heads_after = tuple(sorted(heads))
        table = framework_tables(self._schema).journal
        statement = self._compiled(table.insert().inline().values(self._row(step, source)))
        if self._dialect.name == "postgresql":
            name = self._literal(self._named(table.name))
            indented = textwrap.indent(statement, " " * 8)
            self._write(_POSTGRESQL_IF_THERE.format(name=name, statement=indented))
        elif self._has_journal:
            self._write(f"{statement};")

    def _row(self, step: Step, source: SourceMark | None) -> Mapping[str, Any]:
        writer = this_runner()
        is_postgresql = self._dialect.name == "postgresql"
        return {
            "history": self._history,
            "revision": step.revision,
            "direction": step.direction,
            "outcome": "done",
            **(_TIMES_POSTGRESQL if is_postgresql else _TIMES_SQLITE),
            "checksum": source.checksum if source else None,
            "digest": source.digest if source else None,
            "database_user": sa.text("current_user") if is_postgresql else None,
            "os_user": "(script)",
            "host": _CLIENT if is_postgresql else "(script)",
            "tool_version": writer.tool_version,
            "alembic_version": writer.alembic_version,
            "detail": f"by a script that {writer.os_user}@{writer.host} made",
        }

    def _output(self, text: str) -> None:
        """Pass on what Alembic writes; a version table that is there already is no fault."""
        is_table = self._lacks_table and text.lstrip().startswith("CREATE TABLE ")
        if is_table:
            self._lacks_table = False
            text = text.replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
        self._write(text)

    def _compiled(self, statement: sa.Insert) -> str:
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})
        return str(compiled)

    def _literal(self, text: str) -> str:
        return str(
            sa.literal(text, sa.String()).compile(
                dialect=self._dialect, compile_kwargs={"literal_binds": True}
            )
        )

    def _named(self, table: str) -> str:
        preparer = self._dialect.identifier_preparer
        name = preparer.quote(table)
        return f"{preparer.quote_schema(self._schema)}.{name}" if self._schema else name

    def _quoted(self, name: str) -> str:
        return self._dialect.identifier_preparer.quote(quoted_name(name, quote=True))


_CLIENT = sa.text("coalesce(host(inet_client_addr()), 'local')")
_TIMES_POSTGRESQL = {
    "started_at": sa.text("now()"),
    "finished_at": sa.text("clock_timestamp()"),
    "duration_ms": sa.text("round(extract(epoch FROM clock_timestamp() - now()) * 1000)"),
}
_TIMES_SQLITE = {
    "started_at": sa.text(f"(SELECT started_at FROM {_STEP})"),  # noqa: S608  # ours
    "finished_at": sa.text(f"({_SQLITE_NOW})"),
    "duration_ms": sa.text(
        "(SELECT CAST(round((julianday('now') - julianday(started_at)) * 86400000) AS INTEGER)"  # noqa: S608  # ours
        f" FROM {_STEP})"
    ),
}
