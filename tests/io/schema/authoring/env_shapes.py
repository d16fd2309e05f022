"""env.py files as people write them: those that are replaced, and those that are refused.

The project beside them has two tables and `models.metadata`, which knows one of them when
`models.load()` was called; `app` has the URL and an engine. In a file that is refused each line
that must be named ends with ``# <-``.
"""

from __future__ import annotations

_HEAD = """\
import os
from logging.config import fileConfig

from sqlalchemy import create_engine, engine_from_config, pool, text

from alembic import context

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)
"""
_OFFLINE = """

def run_migrations_offline():
    context.configure(url="sqlite://", target_metadata=target_metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()

"""
_ENGINE = """connectable = engine_from_config(
        config.get_section(config.config_ini_section, {}), prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )"""
_RUN = """
        with context.begin_transaction():
            context.run_migrations()
"""
_END = """
if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
"""
_METADATA = "import models\n\nmodels.load()\ntarget_metadata = models.metadata\n"


def _env(
    before: str = "",
    options: str = "",
    *,
    metadata: str = _METADATA,
    engine: str = _ENGINE,
    connected: str = "",
    local: str = "",
) -> str:
    """Return an env.py of the generic template, with something of a project's own."""
    given = f"connection=connection, target_metadata=target_metadata{options}"
    return (
        f"{_HEAD}{metadata}{before}{_OFFLINE}\ndef run_migrations_online():{local}\n    {engine}\n"
        f"    with connectable.connect() as connection:{connected}\n"
        f"        context.configure({given}){_RUN}\n{_END}"
    )


_HIDING = """
def only_ours(object, name, type_, reflected, compare_to):
    return name != "spare"

"""
_HIDDEN = ", include_object=only_ours"

REPLACED = {
    "the generic template": _env(),
    "no metadata": _env(metadata="target_metadata = None\n"),
    "a version table of its own": _env(options=', version_table="versions_of_the_shop"'),
    "a version table named by a constant": _env("TABLE = 'of_it'\n", ", version_table=TABLE"),
    "include_object": _env(_HIDING, _HIDDEN),
    "include_object as a lambda": _env(
        options=", include_object=lambda o, name, *rest: name not in {'spare'}"
    ),
    "include_object inside of the function": _env(
        options=_HIDDEN,
        local="\n    def only_ours(o, name, type_, *rest):\n        return name != 'spare'\n",
    ),
    "options in local variables": _env(
        options=", version_table=table, include_object=hide",
        local="\n    table = 'of_local'\n    hide = lambda o, name, *rest: name != 'spare'",
    ),
    "a metadata that a loop fills": _env(
        _HIDING,
        _HIDDEN,
        metadata=(
            "import importlib\nimport models\nfor name in ('models',):\n"
            "    importlib.import_module(name).load()\ntarget_metadata = models.metadata\n"
        ),
    ),
    "a metadata that a function of env.py fills": _env(
        _HIDING,
        _HIDDEN,
        metadata=(
            "import models\n\ndef filled():\n    models.load()\n    return models.metadata\n\n"
            "target_metadata = filled()\n"
        ),
    ),
    "a metadata that is filled where it is not bound": _env(
        _HIDING,
        _HIDDEN,
        metadata=(
            "from models import load, metadata\ntry:\n    load()\nexcept ImportError:\n"
            "    pass\ntarget_metadata = metadata\n"
        ),
    ),
    "several metadata": _env(
        _HIDING,
        _HIDDEN,
        metadata=(
            "import models\nimport sqlalchemy as sa\nmodels.load()\n"
            "target_metadata = [models.metadata, sa.MetaData()]\n"
        ),
    ),
    "options of comparison": _env(
        _HIDING,
        f"{_HIDDEN}, compare_type=True, compare_server_default=False, render_as_batch=True",
    ),
    "no empty revisions": _env(
        _HIDING,
        f"{_HIDDEN}, process_revision_directives=none_empty",
        local="""
    def none_empty(context, revision, directives):
        if getattr(config.cmd_opts, "autogenerate", False):
            if directives[0].upgrade_ops.is_empty():
                directives[:] = []
""",
    ),
    "a rewriter with decorated functions": _env(
        _HIDING
        + "from alembic.autogenerate import rewriter\nfrom alembic.operations import ops\n"
        + "writer = rewriter.Rewriter()\n\n@writer.rewrites(ops.DropTableOp)\n"
        + "def keep(context, revision, op):\n    return []\n",
        ", process_revision_directives=writer",
    ),
    "a connection that a program may give": _env(
        engine=(
            'connectable = config.attributes.get("connection", None)\n'
            f"    if connectable is None:\n        {_ENGINE.replace(chr(10), chr(10) + '    ')}"
        )
    ),
    "the engine of the application": _env(
        engine="connectable = engine", metadata=f"from app import engine\n{_METADATA}"
    ),
    "an engine that the application makes": _env(
        engine="connectable = app.get_engine()", metadata=f"import app\n{_METADATA}"
    ),
    "the application's URL on the Config": _env(
        'from app import URL\nconfig.set_main_option("sqlalchemy.url", URL)\n'
    ),
    "the application's URL with its signs doubled": _env(
        "from app import URL\n"
        'config.set_main_option("sqlalchemy.url", str(URL).replace("%", "%%"))\n'
    ),
    "the application's URL among the engine's options": _env(
        "import app\n\ndef get_url():\n    return app.URL\n",
        engine=(
            "configuration = config.get_section(config.config_ini_section)\n"
            '    configuration["sqlalchemy.url"] = get_url()\n'
            "    connectable = engine_from_config(\n"
            '        configuration, prefix="sqlalchemy.", poolclass=pool.NullPool\n    )'
        ),
    ),
    "a URL from the environment": _env(
        engine='connectable = create_engine(os.environ["APP_URL"], poolclass=pool.NullPool)'
    ),
    "a URL from the environment through a local variable": _env(
        engine=(
            'url = os.environ.get("APP_URL")\n'
            "    connectable = create_engine(url, poolclass=pool.NullPool)"
        )
    ),
    "a URL from a .env file": _env(
        "from dotenv import load_dotenv\n\nload_dotenv('of_the_app.env')\n"
        'DATABASE = os.environ["DOTENV_URL"]\n',
        engine="connectable = create_engine(DATABASE, poolclass=pool.NullPool)",
    ),
    "an argument of -x": _env(
        'TABLE = context.get_x_argument(as_dictionary=True).get("table", "of_x")\n',
        ", version_table=TABLE",
    ),
    "a URL with gaps that env.py fills": _env(
        'section = config.config_ini_section\nconfig.set_section_option(section, "GAP", "")\n'
    ),
    "no functions": _HEAD
    + _METADATA
    + "engine = engine_from_config(config.get_section('alembic'), poolclass=pool.NullPool)\n"
    + "with engine.connect() as c:\n"
    + "    context.configure(connection=c, target_metadata=target_metadata)\n"
    + "    with context.begin_transaction():\n        context.run_migrations()\n",
    "another name of alembic.context": _env()
    .replace("from alembic import context", "from alembic import context as ctx")
    .replace("context.", "ctx."),
    "logging of its own": _env(
        "import logging\nlogger = logging.getLogger('alembic.env')\n",
        connected="\n        logger.info('connected')",
    ),
}

_ON_POSTGRESQL = "import asyncio\nfrom sqlalchemy.ext.asyncio import async_engine_from_config\n"
REPLACED_ON_POSTGRESQL = {
    "a version table in another schema": _env(options=', version_table_schema="record"'),
    "schemas beside the usual one": _env(
        _HIDING, f'{_HIDDEN}, include_schemas=False, version_table_schema="record"'
    ),
    "the async template": f"""{_ON_POSTGRESQL}{_HEAD}{_METADATA}{_OFFLINE}
def do_run_migrations(connection):
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations():
    connectable = async_engine_from_config(
        config.get_section(config.config_ini_section, {{}}), poolclass=pool.NullPool
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()


def run_migrations_online():
    asyncio.run(run_async_migrations())

{_END}""",
}

_LOOP = """
def run_migrations_online():
    connectable = create_engine(URL)
    with connectable.connect() as connection:
        for tenant in TENANTS:
            context.configure(connection=connection, version_table_schema=tenant)  # <-
            with context.begin_transaction():
                context.run_migrations()

"""
REFUSED = {
    "a loop over tenants": (
        f"{_HEAD}from app import TENANTS, URL\n{_METADATA}{_OFFLINE}{_LOOP}{_END}"
    ),
    "a loop over schemas that calls a function": _HEAD
    + _METADATA
    + """
from app import SCHEMAS, engine

def migrate(connection, schema):
    context.configure(
        connection=connection,
        version_table_schema=schema,  # <-
    )
    with context.begin_transaction():
        context.run_migrations()

with engine.connect() as connection:
    for schema in SCHEMAS:
        migrate(connection, schema)  # <-
""",
    "two databases, one after the other": _HEAD
    + _METADATA
    + """
from app import engine, other

def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

with engine.connect() as one:  # <-
    migrate(one)
with other.connect() as two:  # <-
    migrate(two)  # <-
""",
    "SET search_path": _env(
        connected="\n        connection.execute(text('SET search_path TO shop'))  # <-\n"
        "        connection.dialect.default_schema_name = 'shop'  # <-"
    ),
    "SET ROLE in a function of its own": _env(
        "\ndef become_owner(connection):\n    connection.execute(text('SET ROLE owner'))\n",
        connected="\n        become_owner(connection)  # <-",
    ),
    "a function of the application on the connection": _env(
        "from app import prepare\n", connected="\n        prepare(connection)  # <-"
    ),
    "a lock of its own": _env(
        connected="\n        connection.exec_driver_sql('SELECT pg_advisory_lock(1)')  # <-"
    ),
    "a lock around the run": _env(
        "from app import locked\n",
        local="\n    with locked():  # <-\n        migrate()\n\n\ndef migrate():",
    ),
    "time-outs": _env(
        connected="\n        connection.execute(text('SET lock_timeout = 1'))  # <-"
        "\n        connection.execute(text('SET statement_timeout = 1'))  # <-"
    ),
    "CREATE SCHEMA": _env(
        options=", version_table_schema='shop'",
        connected="\n        connection.execute(text('CREATE SCHEMA IF NOT EXISTS shop'))  # <-",
    ),
    "CREATE SCHEMA when env.py is read": _env(
        "from app import engine\n"
        "with engine.begin() as c:\n    c.execute(text('CREATE SCHEMA shop'))  # <-\n"
    ),
    "a map of schemas": _env(
        connected="\n        connection = connection.execution_options(  # <-\n"
        "            schema_translate_map={None: 'shop'}\n        )"
    ),
    "**kwargs": _env("from app import OPTIONS\n", ", **OPTIONS").replace(
        "target_metadata, **OPTIONS)", "target_metadata, **OPTIONS)  # <-"
    ),
    "version_locations by dialect": _env(
        local="\n    context.script.version_locations = ['a']  # <-"
    ),
    "version_locations through a name": _env(
        "script = context.script\n", local="\n    script.version_locations = ['a']  # <-"
    ),
    "attributes of the Config": _env(local="\n    config.attributes['tenant'] = 1  # <-"),
    "an option of the Config by setattr": _env(local="\n    setattr(config, 'x', 1)  # <-"),
    "another option of the Config": _env(
        local="\n    config.set_main_option('version_locations', 'a')  # <-"
    ),
    "a listener on the engine": _env(
        "from sqlalchemy import event\nfrom app import engine\n\n"
        "@event.listens_for(engine, 'connect')  # <-\n"
        "def set_up(connection, record):\n    connection.execute('PRAGMA foreign_keys = ON')\n",
        engine="connectable = engine",
    ),
    "options of the driver": _env(
        engine="connectable = create_engine(os.environ['APP_URL'],\n"
        "        connect_args={'options': '-csearch_path=shop'},  # <-\n    )"
    ),
    "an isolation level": _env(
        engine="connectable = create_engine(os.environ['APP_URL'],\n"
        "        isolation_level='AUTOCOMMIT',  # <-\n    )"
    ),
    "a URL that is put together in a function": _env(
        "import models as secrets\n",
        local="\n    for part in secrets.parts():\n        url = part",
        engine="connectable = create_engine(url)  # <-",
    ),
    "two URLs": _env(
        "import app\n",
        engine="connectable = create_engine(app.URL)  # <-\n"
        "    other = create_engine(app.OTHER)  # <-",
    ),
    "a refusal of its own": _env(
        local="\n    if os.environ.get('STAGE') == 'prod':\n"
        "        raise SystemExit('never by hand')  # <-"
    ),
    "a condition of its own": _env(
        local="\n    if os.environ.get('SKIP_MIGRATIONS'):  # <-\n        return"
    ),
    "the context of an application": _env(
        "from app import app\n",
        local="\n    with app.app_context():  # <-\n        migrate()\n\n\ndef migrate():",
    ),
    "what is done when a version is applied": _env(
        "from app import record\n", ",\n            on_version_apply=record,  # <-\n        "
    ),
    "an option that is made of the connection": _env(
        options=",\n        include_schemas=connection.dialect.name == 'sqlite',  # <-\n        "
    ),
    "options by dialect": _env(
        connected="\n        if connection.dialect.name == 'sqlite':  # <-\n"
        "            context.configure(connection=connection, render_as_batch=True)  # <-"
    ),
    "arguments for the revisions": _env().replace(
        "            context.run_migrations()\n", "            context.run_migrations(a=1)  # <-\n"
    ),
    "threads": _env("from threading import Thread\n").replace(
        "else:\n    run_migrations_online()",
        "else:\n    Thread(target=run_migrations_online).start()  # <-",
    ),
}
