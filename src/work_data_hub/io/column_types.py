"""Column types that mean the same on PostgreSQL and on SQLite.

PostgreSQL has native types; SQLite keeps text that raw SQL can read and write unchanged.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

T = TypeVar("T")


class UuidText(sa.TypeDecorator[UUID]):
    """A UUID as lowercase dashed text, so that raw SQL with such text finds the same row."""

    impl = sa.String(36)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Accept a ``uuid.UUID`` or any text that is one."""
        return None if value is None else str(value if isinstance(value, UUID) else UUID(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:  # noqa: ARG002
        """Return a ``uuid.UUID``."""
        return None if value is None else UUID(value)


class _TextOnSqlite(sa.TypeDecorator[T]):
    """Keeps the column type of ``impl`` and, on SQLite, hands text straight to the driver.

    SQLite's own processors would drop the offset of a time and warn about decimals.
    """

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return what turns a value into what the driver takes."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: self.process_bind_param(value, dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return what turns the driver's value into the column's."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        return lambda value: self.process_result_value(value, dialect)


class _iso_in_utc(sa.sql.functions.FunctionElement[datetime]):  # noqa: N801  # as SQL functions are
    """A time as text in UTC, whatever DateStyle the session has: psycopg reads only some."""

    inherit_cache = True

    def __init__(self, time: sa.ColumnElement[Any], type_: sa.types.TypeEngine[Any]) -> None:
        super().__init__(time)
        self.type = type_


@compiles(_iso_in_utc)
def _as_it_is(element: _iso_in_utc, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_iso_in_utc, "postgresql")
def _on_postgresql(element: _iso_in_utc, compiler: Any, **options: Any) -> str:
    time = compiler.process(element.clauses, **options)
    return f"to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"


class UtcDateTime(_TextOnSqlite[datetime]):
    """An aware time. SQLite keeps ISO text in UTC, which sorts in the order of time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Select it in a form that does not depend on the session."""
        return _iso_in_utc(column, self)

    def process_bind_param(self, value: datetime | str | None, dialect: Dialect) -> Any:
        """Accept an aware time, or ISO text of one; a naive one names no moment.

        Raises:
            ValueError: when the time is naive (SQLAlchemy wraps it in a StatementError).
        """
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value.tzinfo is None:
            raise ValueError(f"a naive time names no moment: {value!r}; use datetime.now(UTC)")
        utc = value.astimezone(UTC)
        return utc.isoformat(sep=" ") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return an aware time in UTC; SQLite's own times are UTC without saying so."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class utc_now(sa.sql.functions.FunctionElement[datetime]):  # noqa: N801  # as SQL functions are
    """The time of the database; on SQLite in the form in which ``UtcDateTime`` writes times."""

    type = sa.DateTime(timezone=True)
    inherit_cache = True


@compiles(utc_now)
def _utc_now(_element: utc_now, _compiler: Any, **_: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(utc_now, "sqlite")
def _utc_now_on_sqlite(_element: utc_now, _compiler: Any, **_: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%S+00:00', 'now'))"


class DecimalNumber(_TextOnSqlite[Decimal]):
    """A decimal on SQLite, which keeps numbers as REAL: exact to 15 significant digits."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.scale = scale

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Round to the column's scale, as PostgreSQL does."""
        return None if value is None else str(self._rounded(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Return a Decimal with the column's scale."""
        return None if value is None else self._rounded(value)

    def _rounded(self, value: Any) -> Decimal:
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP)


UUID_TYPE = postgresql.UUID(as_uuid=True).with_variant(UuidText(), "sqlite")
JSON_TYPE = postgresql.JSONB(none_as_null=True).with_variant(sa.JSON(none_as_null=True), "sqlite")
TIMESTAMP_TYPE = UtcDateTime()


def decimal_type(precision: int, scale: int) -> sa.types.TypeEngine[Decimal]:
    """Return NUMERIC(precision, scale)."""
    return sa.Numeric(precision, scale).with_variant(DecimalNumber(precision, scale), "sqlite")
