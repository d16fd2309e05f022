"""The stand-in of conftest.py behaves like the PgBouncer that it stands for."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg import Connection
    from sqlalchemy.engine import URL

    Pooler = Callable[[URL, int], AbstractContextManager[URL]]

HOLDER = """
import sys, time, psycopg
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as connection:
    connection.execute("BEGIN")
    print(connection.execute("SELECT pg_try_advisory_xact_lock(1)").fetchone()[0], flush=True)
    time.sleep(60)
"""


def conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def connect(url: URL) -> Connection:
    return psycopg.connect(
        conninfo(url), autocommit=True, prepare_threshold=None, connect_timeout=10
    )


def connect_many(stack: ExitStack, url: URL, count: int) -> list[Connection]:
    return [stack.enter_context(connect(url)) for _ in range(count)]


def value(connection: Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def status(connection: Connection) -> TransactionStatus:
    return connection.info.transaction_status


def seconds_until_free(url: URL) -> float:
    """Poll on the server itself until the lock is free."""
    start = time.monotonic()
    with connect(url) as connection:
        while not value(connection, "SELECT pg_try_advisory_xact_lock(1)"):
            assert time.monotonic() < start + 10
            time.sleep(0.005)
    return time.monotonic() - start


def test_a_session_lock_is_no_lock_and_is_stranded(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url, connect(postgresql_url) as direct:
        with ExitStack() as stack:
            clients = connect_many(stack, url, 5)
            got = [value(client, "SELECT pg_try_advisory_lock(1)") for client in clients]
            assert got == [True] * 5
        assert value(direct, "SELECT pg_try_advisory_lock(1)") is False


def test_a_transaction_lock_is_held_by_exactly_one(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 3) as url, ExitStack() as stack:
        clients = connect_many(stack, url, 3)
        for client in clients:
            client.execute("BEGIN")
        query = "SELECT pg_try_advisory_xact_lock(1)"
        assert [value(client, query) for client in clients] == [True, False, False]
        clients[0].execute("COMMIT")
        assert [value(client, query) for client in clients[1:]] == [True, False]


def test_the_transaction_lock_of_a_killed_client_is_free_at_once(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url:
        with connect(url) as client:
            before = value(client, "SELECT pg_backend_pid()")
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, conninfo(url)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "True\n"
            holder.kill()
        assert seconds_until_free(postgresql_url) < 1
        with connect(url) as client:
            assert value(client, "SELECT pg_backend_pid()") != before


def test_the_transaction_lock_is_free_at_once_when_its_holder_just_closes(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 2) as url, connect(postgresql_url) as direct:
        holder = connect(url)
        holder.execute("BEGIN")
        assert value(holder, "SELECT pg_try_advisory_xact_lock(1)") is True
        assert value(direct, "SELECT pg_try_advisory_xact_lock(1)") is False
        holder.close()
        assert seconds_until_free(postgresql_url) < 1


def test_transactions_of_two_clients_do_not_mix(each_pooler: Pooler, postgresql_url: URL) -> None:
    with each_pooler(postgresql_url, 2) as url, connect(url) as one, connect(url) as other:
        one.execute("CREATE TABLE t (name text)")
        for client in (one, other):
            client.execute("BEGIN")
        for _ in range(3):
            one.execute("INSERT INTO t VALUES ('one')")
            other.execute("INSERT INTO t VALUES (%s)", ["other"])
        pids = {value(client, "SELECT pg_backend_pid()") for client in (one, other)}
        assert len(pids) == 2
        one.execute("ROLLBACK")
        other.execute("COMMIT")
        assert one.execute("SELECT name, count(*) FROM t GROUP BY 1").fetchall() == [("other", 3)]


def test_clients_wait_their_turn_while_a_transaction_is_open(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url, ExitStack() as stack:
        holder, *waiting = connect_many(stack, url, 5)
        threads = stack.enter_context(ThreadPoolExecutor())
        holder.execute("CREATE TABLE t (id serial, number int)")
        holder.execute("BEGIN")
        writes = []
        for number, client in enumerate(waiting):
            query = "INSERT INTO t (number) VALUES (%s)"
            writes.append(threads.submit(client.execute, query, [number]))
            time.sleep(0.1)
        assert not any(write.done() for write in writes)
        holder.execute("COMMIT")
        for write in writes:
            write.result(timeout=10)
        assert holder.execute("SELECT number FROM t ORDER BY id").fetchall() == [
            (number,) for number in range(4)
        ]


def test_a_client_that_goes_while_it_waits_has_done_nothing(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url, connect(url) as holder:
        holder.execute("CREATE TABLE t (name text)")
        holder.execute("BEGIN")
        waiting = connect(url)
        waiting.pgconn.send_query(b"INSERT INTO t VALUES ('ghost')")
        time.sleep(0.1)
        waiting.close()
        time.sleep(0.1)
        holder.execute("COMMIT")
        assert value(holder, "SELECT count(*) FROM t") == 0


def test_an_error_and_a_copy_inside_a_transaction(each_pooler: Pooler, postgresql_url: URL) -> None:
    with each_pooler(postgresql_url, 1) as url, connect(url) as one, connect(url) as other:
        one.execute("CREATE TABLE t (number int, text text)")
        one.execute("BEGIN")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            one.execute("SELECT no_such_column")
        assert status(one) is TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            one.execute("SELECT 1")
        one.execute("ROLLBACK")
        assert value(other, "SELECT 1") == 1

        rows = [(number, "x" * 1000) for number in range(5000)]
        one.execute("BEGIN")
        with one.cursor().copy("COPY t FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        assert status(one) is TransactionStatus.INTRANS
        one.execute("COMMIT")
        with other.cursor().copy("COPY (SELECT * FROM t ORDER BY 1) TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == rows
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            one.cursor().copy("COPY t FROM STDIN") as copy,
        ):
            copy.write_row(("no number", ""))
        assert value(other, "SELECT count(*) FROM t") == 5000


def test_what_a_session_has_set_is_there_for_the_next_client(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url:
        with connect(url) as one:
            one.execute("SET lock_timeout = '7s'")
        with connect(url) as other:
            assert value(other, "SHOW lock_timeout") == "7s"


def test_a_server_connection_that_ended_is_replaced(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url, connect(postgresql_url) as direct:
        with connect(url) as busy:
            busy.execute("BEGIN")
            pid = value(busy, "SELECT pg_backend_pid()")
            direct.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            with pytest.raises(psycopg.OperationalError):
                busy.execute("SELECT 1")
        with connect(url) as idle:
            pid = value(idle, "SELECT pg_backend_pid()")
            direct.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            time.sleep(0.2)
            assert value(idle, "SELECT pg_backend_pid()") != pid


def test_what_the_pooler_does_not_carry_over_is_refused(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url:
        options = url.update_query_dict({"options": "-c lock_timeout=1s"})
        with pytest.raises(psycopg.OperationalError, match="startup parameter: options"):
            connect(options)
        unknown = r"no such database: postgres|bouncer config error"
        with pytest.raises(psycopg.OperationalError, match=unknown):
            connect(url.set(database="postgres"))
        allowed = {"sslmode": "prefer", "application_name": "x"}
        with connect(url.update_query_dict(allowed)) as client:
            assert value(client, "SELECT 1") == 1


def test_sqlalchemy_works_through_it_and_nothing_is_left_after_the_block(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 2) as url:
        engine = sa.create_engine(url, connect_args={"prepare_threshold": None})
        table = sa.Table("t", sa.MetaData(), sa.Column("number", sa.Integer))
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(table.insert(), [{"number": number} for number in range(50)])
        with engine.connect() as connection:
            assert connection.scalar(sa.select(sa.func.sum(table.c.number))) == 1225
        engine.dispose()
    with connect(postgresql_url) as direct:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        deadline = time.monotonic() + 5
        while value(direct, others) != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with pytest.raises(psycopg.OperationalError):
        connect(url)


def test_who_waits_too_long_for_a_server_connection_is_sent_away(
    each_pooler: Pooler, postgresql_url: URL
) -> None:
    with each_pooler(postgresql_url, 1) as url, connect(url) as holder, connect(url) as waiting:
        holder.execute("BEGIN")
        with pytest.raises(psycopg.errors.ProtocolViolation, match="query_wait_timeout"):
            waiting.execute("SELECT 1")
