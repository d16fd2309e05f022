"""Template databases on a PostgreSQL server: built once, marked ready last, never connected to.

A template is called `wdh_test_template_<key>`. `IS_TEMPLATE` is its mark: it is set when all is
in it, together with `ALLOW_CONNECTIONS false`, because a template that somebody is connected to
cannot be copied.
"""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from work_data_hub.config.database_url import mask, with_database
from work_data_hub.errors import DatabaseUnavailableError, MissingError, WorkDataHubError
from work_data_hub.io.schema import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_TEMPLATE = "wdh_test_template_"
# As long as the slowest migrations of a large project may take.
_BUILD_SECONDS = 3600.0
_POLL_SECONDS = 0.05
_UNUSED_DAYS = 14
_USED = "work_data_hub: a template for tests, last used on "
# The values of these are lists of identifiers, each quoted where it needs it.
_LISTS = {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"}

_LISTED = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
_LIMITS = "SET lock_timeout = '60s'; SET statement_timeout = '300s'"


@dataclass(frozen=True)
class Template:
    """What a database is copied from.

    Attributes:
        name: of the template database.
        owner: of it, which a copy does not inherit; None for whoever makes the copy.
        connection_limit: nor this; -1 is without limit.
        settings: of the database, nor these: role or None, name, value.
        privileges: on it, nor these: grantee or None for PUBLIC, privilege, with grant option.
    """

    name: str
    owner: str | None = None
    connection_limit: int = -1
    settings: tuple[tuple[str | None, str, str], ...] = ()
    privileges: tuple[tuple[str | None, str, bool], ...] = ()

    def copy_to(self, admin: psycopg.Connection, name: str) -> None:
        """Create a database from the template.

        Args:
            admin: in autocommit mode.
            name: of the new database.
        """
        # With durability off copying the files is quickest; otherwise the server's own way is.
        strategy = " STRATEGY file_copy" if _has_no_durability(admin) else ""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}" + strategy).format(
            sql.Identifier(name), sql.Identifier(self.name)
        )
        if self.owner is not None:
            statement += sql.SQL(" OWNER {}").format(sql.Identifier(self.owner))
        admin.execute(statement + sql.SQL(f" CONNECTION LIMIT {self.connection_limit}"))
        database = sql.Identifier(name)
        for statement in (*self._settings(database), *self._privileges(database)):
            admin.execute(statement)

    def _settings(self, database: sql.Identifier) -> Iterator[sql.Composed]:
        for role, variable, value in self.settings:
            whose = sql.SQL("DATABASE {}").format(database)
            if role is not None:
                whose = sql.SQL("ROLE {} IN {}").format(sql.Identifier(role), whose)
            parts = _LISTED.findall(value) if variable in _LISTS else [("", value)]
            names = [quoted.replace('""', '"') or plain for quoted, plain in parts]
            written = sql.SQL(", ").join(map(sql.Literal, names))
            yield sql.SQL("ALTER {} SET {} TO {}").format(whose, sql.Identifier(variable), written)

    def _privileges(self, database: sql.Identifier) -> Iterator[sql.Composed]:
        if self.privileges:
            yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)
        for grantee, privilege, grantable in self.privileges:
            yield sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(privilege),
                database,
                sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
                sql.SQL(" WITH GRANT OPTION" if grantable else ""),
            )


# Not template1, which may hold what every new database of a server shall have.
EMPTY = Template("template0")


def administration(server: URL) -> psycopg.Connection[Any]:
    """Return a connection in autocommit mode to the database `postgres` of a server.

    Locks on databases hold among those who are connected to the same one.

    Raises:
        DatabaseUnavailableError: the server does not answer.
    """
    raw = engine.connect_raw(engine.create_engine(with_database(server, "postgres")))
    raw.autocommit = True
    connection: psycopg.Connection[Any] = raw
    # Somebody else's transaction may hold what we wait for.
    connection.execute(_LIMITS)
    return connection


def ensure_template(server: URL, key: str, fill: Callable[[URL], None]) -> Template:
    """Return the template of that key, building it unless it is there.

    Processes that do this at the same time build once: the others wait. A build that fails or is
    killed leaves nothing that is taken for a template.

    Args:
        server: any database of the server, as a user who may create databases.
        key: of the content, lower-case hexadecimal.
        fill: migrates and seeds the empty database that it is given.

    Raises:
        MissingError: another process held the lock of the build for an hour.
        DatabaseUnavailableError: the server does not answer, or refused: the user may not create
            databases, the disk is full.
    """
    try:
        with administration(server) as admin:
            return _ensure(admin, server, _TEMPLATE + key, fill)
    except psycopg.Error as error:
        raise no_database(server, error) from error


def no_database(server: URL, error: Exception) -> WorkDataHubError:
    """Word what a server said when it was asked for a database."""
    if isinstance(error, WorkDataHubError):
        return error
    hint = "see the server's log; the tests that need a database cannot go on without it"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = "name a user with the right CREATEDB, who owns the template"
    elif isinstance(error, psycopg.errors.DiskFull):
        hint = "make room for the server's data"
    elif isinstance(error, psycopg.errors.InternalError_):
        # XX000: such as a template whose locale the server's machine has not, or in another version
        hint = "mend on the server's machine what is named there, or use another server"
    return DatabaseUnavailableError(
        f"{mask(server)} gives no database: {engine.first_line(error)}", hint=hint
    )


def _ensure(
    admin: psycopg.Connection, server: URL, name: str, fill: Callable[[URL], None]
) -> Template:
    if not _is_ready(admin, name):
        with _locked(admin, name):
            if not _is_ready(admin, name):
                _build(admin, with_database(server, name), name, fill)
            _prune(admin, name)
    _note_use(admin, name)
    return _described(admin, name)


def _build(admin: psycopg.Connection, url: URL, name: str, fill: Callable[[URL], None]) -> None:
    database = sql.Identifier(name)
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
    admin.execute(sql.SQL("CREATE DATABASE {}").format(database))
    try:
        fill(url)
    except BaseException:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
        raise
    admin.execute(
        sql.SQL("ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false").format(database)
    )


def _is_ready(admin: psycopg.Connection, name: str) -> bool:
    query = "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate AND NOT datallowconn"
    return admin.execute(query, [name]).fetchone() is not None


@contextlib.contextmanager
def _locked(admin: psycopg.Connection, name: str) -> Iterator[None]:
    deadline = time.monotonic() + _BUILD_SECONDS
    # Never waiting inside the server: a waiter there holds up CREATE INDEX CONCURRENTLY.
    while not _answer(admin, LOCK, name):
        if time.monotonic() > deadline:
            raise MissingError(
                f"another process has been building {name} for {_BUILD_SECONDS:.0f} s",
                hint="end it, then try again",
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if not admin.broken:
            admin.execute(UNLOCK, [name])


def _note_use(admin: psycopg.Connection, name: str) -> None:
    today = f"{_USED}{datetime.now(UTC):%Y-%m-%d}"
    if _comment(admin, name) != today:
        database = sql.Identifier(name)
        # Another process may write the same comment: the later one fails, and it is there.
        with contextlib.suppress(psycopg.Error):
            admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, today))


def _comment(admin: psycopg.Connection, name: str) -> str:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    return str(_answer(admin, query, name) or "")


def _prune(admin: psycopg.Connection, but: str) -> None:
    """Drop the templates that nobody has used for two weeks."""
    query = (
        "SELECT datname FROM pg_database WHERE datistemplate AND datname ^@ %s"
        " AND pg_has_role(datdba, 'USAGE')"
    )
    oldest = datetime.now(UTC) - timedelta(days=_UNUSED_DAYS)
    for (name,) in admin.execute(query, [_TEMPLATE]).fetchall():
        used = re.fullmatch(rf"{_USED}(\d{{4}}-\d\d-\d\d)", _comment(admin, name))
        if name != but and used and used[1] < f"{oldest:%Y-%m-%d}":
            database = sql.Identifier(name)
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(database))
            admin.execute(sql.SQL("DROP DATABASE {}").format(database))


def _described(admin: psycopg.Connection, name: str) -> Template:
    settings = admin.execute(
        "SELECT r.rolname, unnest(s.setconfig) FROM pg_db_role_setting AS s"
        " JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = %s"
        " LEFT JOIN pg_roles AS r ON r.oid = s.setrole",
        [name],
    ).fetchall()
    privileges = admin.execute(
        "SELECT r.rolname, a.privilege_type, a.is_grantable"
        " FROM pg_database AS d CROSS JOIN aclexplode(d.datacl) AS a"
        " LEFT JOIN pg_roles AS r ON r.oid = a.grantee WHERE d.datname = %s",
        [name],
    ).fetchall()
    owner, limit = admin.execute(
        "SELECT nullif(r.rolname, current_user), d.datconnlimit FROM pg_database AS d"
        " JOIN pg_roles AS r ON r.oid = d.datdba WHERE d.datname = %s",
        [name],
    ).fetchone() or (None, -1)
    split = tuple((role, *setting.split("=", 1)) for role, setting in settings)
    return Template(name, owner, limit, split, tuple(privileges))


def _has_no_durability(admin: psycopg.Connection) -> bool:
    return admin.info.server_version >= 150000 and _answer(admin, "SHOW fsync") == "off"


def _answer(admin: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = admin.execute(query, parameters or None).fetchone()
    return None if row is None else row[0]
