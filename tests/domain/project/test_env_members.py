"""Every word that an env.py is judged by, by itself, beside one that is not among them.

The words stand here once more: a list that lost one would else take its test along.
"""

from __future__ import annotations

import pytest

from work_data_hub.domain.project.env_options import DECIDED_OPTIONS
from work_data_hub.domain.project.env_rewrite import (
    EnvRewrite,
    IrreplaceableEnvError,
    rewrite_env,
)
from work_data_hub.domain.project.env_run import EXECUTES

EXECUTING = (
    *("execute", "exec_driver_sql", "executescript", "executemany", "cursor"),
    *("scalar", "scalars", "stream"),
)
OF_TEMPLATES = (
    *("configure", "begin_transaction", "run_migrations", "is_offline_mode", "get_context"),
    *("get_main_option", "get_section", "get_section_option", "get", "pop", "fileConfig"),
    *("AsyncEngine", "getLogger", "isinstance", "print", "dict"),
    *("commit", "rollback", "close", "dispose", "run_sync", "str"),
    *("run_until_complete", "get_event_loop", "new_event_loop", "get_running_loop"),
    *("asyncio.run", "anyio.run", "get_x_argument", "set_event_loop"),
)


def env(
    *,
    module: str = "",
    run: str = "pass",
    options: str = "",
    around: str = "connectable.connect()",
    first: str = "pass",
) -> str:
    """Return an env.py of Alembic's template, with something of its own."""
    return f"""
from logging.config import fileConfig
from alembic import context
from sqlalchemy import engine_from_config
from models import metadata

config = context.config
{module}

def run_migrations_online():
    {first}
    connectable = engine_from_config(config.get_section("alembic"))
    with {around} as connection:
        {run}
        context.configure(connection=connection, target_metadata=metadata{options})
        with context.begin_transaction():
            context.run_migrations()

run_migrations_online()
"""


def rewritten(text: str) -> EnvRewrite:
    return rewrite_env(text.encode())


def lost(text: str) -> str:
    with pytest.raises(IrreplaceableEnvError) as refused:
        rewritten(text)
    return str(refused.value)


def test_the_template_alone_loses_nothing() -> None:
    assert rewritten(env()).left == ()


@pytest.mark.parametrize("method", EXECUTING)
def test_what_is_executed_on_the_connection_would_be_lost(method: str) -> None:
    assert "is executed on the connection" in lost(env(run=f"connection.{method}('x')"))
    prepare = f"def prepare():\n    elsewhere.{method}('x')\n"
    assert "works on the connection: prepare()" in lost(env(module=prepare, run="prepare()"))


def test_what_executes_nothing_is_named() -> None:
    assert len(EXECUTES) == len(EXECUTING)
    (line,) = rewritten(env(run="connection.audit('x')")).left
    assert line.endswith("connection.audit('x')")
    prepare = "def prepare():\n    elsewhere.audit('x')\n"
    (line,) = rewritten(env(module=prepare, run="prepare()")).left
    assert line.endswith("prepare()")


@pytest.mark.parametrize("how", ["listen", "listens_for"])
def test_who_listens_would_be_lost(how: str) -> None:
    assert "listens to the engine" in lost(env(run=f"event.{how}(connectable, 'connect')"))


@pytest.mark.parametrize(
    "loop",
    [
        "for each in ('a', 'b'): context.configure(connection=connection)",
        "while True: context.configure(connection=connection)",
        "[context.configure(connection=connection) for each in 'ab']",
        "{context.configure(connection=connection) for each in 'ab'}",
        "list(context.configure(connection=connection) for each in 'ab')",
        "{each: context.configure(connection=connection) for each in 'ab'}",
    ],
)
def test_a_run_in_a_loop_would_be_lost(loop: str) -> None:
    assert "stands in a loop" in lost(env(run=loop))


@pytest.mark.parametrize("name", OF_TEMPLATES)
def test_what_templates_call_is_not_named(name: str) -> None:
    called = name if "." in name else f"helper.{name}"
    assert rewritten(env(run=f"{called}()")).left == ()


@pytest.mark.parametrize(
    "engine",
    [
        "engine_from_config(config.get_section('alembic'))",
        "async_engine_from_config(config.get_section('alembic'))",
        "create_engine('sqlite:///x.db')",
        "create_engine(url='sqlite:///x.db')",
        "create_async_engine('sqlite+aiosqlite:///x.db')",
        "AsyncEngine(engine_from_config(config.get_section('alembic')))",
        "AsyncEngine(sync_engine=engine_from_config(config.get_section('alembic')))",
    ],
)
def test_an_engine_of_a_template_is_not_named(engine: str) -> None:
    for end in (".connect()", ".begin()"):
        found = rewritten(env(around=f"{engine}{end}"))
        assert found.left == ()
        assert ("sqlite" in found.text) == ("sqlite" in engine)


def test_of_two_engines_each_is_looked_at() -> None:
    engine = "create_engine('sqlite:///a.db') if TESTS else create_engine('sqlite:///b.db')"
    said = lost(env(first=f"engine = {engine}", around="engine.connect()"))
    assert "one of several URLs: 'sqlite:///a.db'" in said
    assert "one of several URLs: 'sqlite:///b.db'" in said


@pytest.mark.parametrize("maker", ["create_engine", "create_async_engine", "engine_from_config"])
def test_an_engine_whose_url_is_not_seen_would_be_lost(maker: str) -> None:
    assert "the engine is made of other options" in lost(env(around=f"{maker}(**options)"))


@pytest.mark.parametrize("section", ["settings", "settings.section", "defaults | settings"])
def test_an_engine_of_what_only_running_it_tells_would_be_lost(section: str) -> None:
    engine = f"engine_from_config({section})"
    said = lost(env(module="from app import defaults, settings", around=f"{engine}.connect()"))
    assert f"the engine is made of other options: {engine}" in said


def test_an_engine_that_a_function_of_the_project_makes_is_asked_for_its_url() -> None:
    own = "from app import make_engine, settings"
    text = rewritten(env(module=own, around="make_engine(settings).connect()")).text
    assert "default_url=make_engine(settings).url" in text


@pytest.mark.parametrize("connection", ["c", "connect()", "begin()"])
def test_a_connection_that_only_running_it_tells_would_be_lost(connection: str) -> None:
    source = "from app import begin, c, connect, m\nfrom alembic import context\n"
    said = lost(f"{source}context.configure(connection={connection}, target_metadata=m)\n")
    assert "line 3: to which database it connects cannot be told" in said


@pytest.mark.parametrize("arguments", ["1", "*more", "tenant=1", "**more"])
def test_what_is_passed_to_the_revisions_would_be_lost(arguments: str) -> None:
    source = env(module="from app import more")
    passes = source.replace("context.run_migrations()", f"context.run_migrations({arguments})")
    assert passes != source
    line = 1 + passes[: passes.index("context.run_migrations")].count("\n")
    said = f"passes arguments to the revisions: context.run_migrations({arguments})"
    assert f"line {line}: {said}" in lost(passes)


@pytest.mark.parametrize("logger", ["logger", "log", "logging"])
def test_what_is_logged_is_not_named(logger: str) -> None:
    assert rewritten(env(run=f"{logger}.shout('x')")).left == ()


@pytest.mark.parametrize(
    "manager", ["connect", "begin", "begin_transaction", "closing", "suppress"]
)
def test_a_run_may_stand_inside_of_what_connects(manager: str) -> None:
    rewritten(env(around=f"connectable.{manager}()"))
    assert "runs inside of" in lost(env(around="connectable.tenant()"))


def test_a_run_may_stand_inside_of_a_connection_that_was_made_before() -> None:
    connects = "connection = create_engine('sqlite:///x.db').connect()"
    assert rewritten(env(first=connects, around="connection")).left == ()
    assert "runs inside of" in lost(env(first=connects, around="tenants[connection]"))


@pytest.mark.parametrize(
    "question",
    [
        "context.is_offline_mode()",
        "config is None",
        "config is not None",
        "isinstance(config, str)",
        "hasattr(config, 'x')",
        "config.attributes",
    ],
)
def test_a_run_may_depend_on_what_templates_ask(question: str) -> None:
    rewritten(env(first=f"if {question}: return"))
    assert "depends on TENANT == 3" in lost(env(first="if TENANT == 3: return"))


CALL = "run_migrations_online()\n"
BELOW = f"    {CALL}"


@pytest.mark.parametrize(
    ("second", "is_either"),
    [
        (f"if config.attributes:\n{BELOW}else:\n{BELOW}", True),
        (f"try:\n{BELOW}except RuntimeError:\n{BELOW}", True),
        (f"try:\n{BELOW}except RuntimeError:\n    pass\nelse:\n{BELOW}", False),
        (f"try:\n{BELOW}finally:\n{BELOW}", False),
        (CALL + CALL, False),
    ],
)
def test_what_runs_the_migrations_is_called_once_whichever_way_is_gone(
    second: str, is_either: bool
) -> None:
    text = env().replace(f"\n{CALL}", f"\n{second}")
    assert second in text
    if is_either:
        rewritten(text)
    else:
        assert "run_migrations_online() is called a second time" in lost(text)


@pytest.mark.parametrize("option", ["as_sql", "dont_mutate", "fn", "on_version_apply", "purge"])
def test_an_option_that_the_package_decides_is_lost(option: str) -> None:
    assert option in DECIDED_OPTIONS
    assert f"{option}: the package decides it" in lost(env(options=f", {option}=1"))


@pytest.mark.parametrize("option", ["transaction_per_migration", "transactional_ddl"])
def test_an_option_whose_place_is_taken_is_named(option: str) -> None:
    assert option in DECIDED_OPTIONS
    (line,) = rewritten(env(options=f", {option}=1")).left
    assert line.endswith(f"{option}: the package decides it")


@pytest.mark.parametrize("option", ["dialect_opts", "dialect_name", "literal_binds", "url"])
def test_what_the_package_does_anyway_needs_no_word(option: str) -> None:
    found = rewritten(env(options=f", {option}='x'"))
    assert (found.left, option in found.text) == ((), False)
    offline = f"    context.configure({option}='x', target_metadata=metadata)"
    found = rewritten(env(module=f"def run_migrations_offline():\n{offline}"))
    assert found.left == ()


@pytest.mark.parametrize("option", ["upgrade_token", "downgrade_token"])
def test_the_words_of_several_databases_are_lost(option: str) -> None:
    assert "several databases" in lost(env(options=f", {option}='x'"))


@pytest.mark.parametrize("how", ["fileConfig", "dictConfig", "basicConfig"])
@pytest.mark.parametrize(
    "beside",
    [
        "getLogger('x')",
        "getLogger('x').setLevel(1)",
        "os.path.exists('x')",
        "path.is_file()",
        "Path('x')",
        "bool(1)",
        "os.environ.get('x')",
        "os.getenv('x')",
        "config.get_main_option('x')",
    ],
)
def test_what_sets_the_logging_up_is_left_out(how: str, beside: str) -> None:
    found = rewritten(env(module=f"if {beside}: {how}('x')"))
    assert (found.left, how in found.text) == ((), False)


def test_what_does_more_than_set_the_logging_up_is_not_left_out() -> None:
    more = lost(env(module="if prepare(): fileConfig('x')"))
    assert "sets up the logging beside other things" in more
    assert "helper.getLogger('x')" in rewritten(env(module="helper.getLogger('x')")).text


@pytest.mark.parametrize(
    ("statement", "is_kept"),
    [
        ("import models.orders", True),
        ("import os, models.orders", True),
        ("import sqlalchemy.orm", False),
        ("from . import models as here", True),
        ("from .json import models as here", True),
        ("from models.orders import table", True),
        ("from sqlalchemy.orm import Session", False),
        ("from json.decoder import JSONDecoder", False),
        ("connectable: object", False),
        ("def make(x): pass\nbase: object = make(metadata)", True),
        ("base: object = dict(metadata)", False),
        ("from base import make\nbase: object = make(metadata)", True),
        ("from json import loads\nbase: object = loads('1')", False),
        ("from .json import loads\nbase: object = loads('1')", True),
        ("import models.base\nbase = models.base.make()", True),
        ("import json.decoder\nbase = json.decoder.JSONDecoder()", False),
        ("base.x = 1", True),
    ],
)
def test_what_may_fill_the_metadata_is_kept(statement: str, is_kept: bool) -> None:
    text = rewritten(env(module=statement)).text
    assert (statement.splitlines()[-1] in text) == is_kept, text
