"""An adopter's ten minutes with each project of examples/: from plain Alembic, and back to it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.days.day import Person, create, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN_URL = "sqlite:///%(here)s/shop.db"
PLAIN_ENV = """
import os
import sqlalchemy as sa
from alembic import context
{imports}

with sa.create_engine(os.environ["{variable}"], poolclass=sa.NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata={metadata})
    with context.begin_transaction():
        context.run_migrations()
"""


@dataclass(frozen=True)
class Example:
    """How a project of examples/ is worked on.

    Attributes:
        folder: its name there.
        variable: which names its database; empty: its alembic.ini does.
        plain: the command of its own that migrates.
        config: what names its configuration for `wdh`, where it is not alembic.ini.
        metadata: the import and the name of it, for an env.py of before, where none was kept.
        awaits: whether it awaits its database, with the drivers for that.
    """

    folder: str
    variable: str = "SHOP_DATABASE"
    plain: str = "alembic"
    config: str = ""
    metadata: tuple[str, str] | None = None
    awaits: bool = False

    def url(self, url: URL) -> str:
        """Return the database's URL as the project says it."""
        is_awaited = self.awaits and url.get_backend_name() == "sqlite"
        said = url.set(drivername="sqlite+aiosqlite") if is_awaited else url
        return said.render_as_string(hide_password=False)


ALL = (
    Example("async_shop", awaits=True),
    Example(
        "bookshop",
        variable="DATABASE_URL",
        metadata=("from bookshop_tables import metadata", "metadata"),
    ),
    Example("flask_shop", plain="flask db"),
    Example("sqlmodel_shop", variable=""),
    Example(
        "two_databases",
        variable="ORDERS_DATABASE",
        plain="alembic -c orders.ini",
        config=" --config orders.ini",
        metadata=("import tables", "tables.orders"),
    ),
)
# What `init` took over from [tool.alembic].
OF_TOML = "\n".join(
    (
        "script_location = %(here)s/migrations",
        "prepend_sys_path = ",
        "    .",
        "path_separator = newline\n",
    )
)


def make_plain(project: Path, example: Example, url: str) -> None:
    """Make the project what it was before anybody adopted the package."""
    ignored = shutil.ignore_patterns("*.db*", "__pycache__")
    shutil.copytree(EXAMPLES / example.folder, project, ignore=ignored, dirs_exist_ok=True)
    env, ini = project / "migrations/env.py", project / "alembic.ini"
    if example.metadata is None:
        env.with_name("env.py.before-wdh").replace(env)
    else:
        imports, name = example.metadata
        plain = PLAIN_ENV.format(imports=imports, variable=example.variable, metadata=name)
        env.write_text(plain, encoding="utf-8")
    if example.plain == "flask db":
        ini.unlink()
    if not example.variable:
        text = ini.read_text(encoding="utf-8")
        assert OF_TOML in text
        text = text.replace(OF_TOML, "").replace(OWN_URL, url.replace("%", "%%"))
        ini.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("example", ALL, ids=lambda example: str(example.folder))
def test_it_is_adopted_worked_with_and_plain_alembic_s_again(
    example: Example, make_person: Callable[..., Person], make_url: Callable[[], URL]
) -> None:
    url = make_url()
    adopter = make_person("adopter", url)
    if example.variable != "DATABASE_URL":
        del adopter.environment["DATABASE_URL"]
    adopter.environment.pop("PYTHONWARNINGS")  # the frameworks' own
    adopter.environment[example.variable or "_"] = example.url(url)
    make_plain(adopter.folder, example, example.url(url))
    for command in ("init -q", "add -A", "commit -q -m Before"):
        adopter.types(f"git {command}")
    config, changes = example.config, "git status --short --untracked-files=no"

    adopter.types(f"{example.plain} upgrade head")
    before = schema(url)
    adopter.types(f"wdh db init --check{config}")
    assert adopter.types("git status --short").out == ""
    adopter.types(f"wdh db init{config}")
    assert "migrations/env.py" in adopter.types(changes).out
    unknown = adopter.types(f"wdh db status{config}")
    adopter.types(unknown.hint("upgrade") + config)
    assert schema(url) == before
    assert set(re.findall(r"done +(\w+) ", adopter.types(f"wdh db journal{config}").out)) == {
        "adopt"
    }

    adopter.types(f'wdh db new "more"{config}')
    adopter.writes("*more.py", *create("more"))
    adopter.types(f"wdh db upgrade{config}")
    after = schema(url)
    assert set(after["rows"]) - set(before["rows"]) == {"more"}
    adopter.types(f"wdh db downgrade -1{config}")
    assert schema(url) == before
    pending = adopter.types(f"wdh db status --check{config}", exits=1)
    adopter.types(pending.hint("upgrade") + config)
    assert schema(url) == after

    adopter.types(f"wdh db eject{config}")
    assert "env.py" not in adopter.types(changes).out
    adopter.types(f"{example.plain} downgrade {before_of(adopter)}")
    assert schema(url) == before
    adopter.types(f"{example.plain} upgrade head")
    assert schema(url) == after


def before_of(adopter: Person) -> str:
    """Return what the new revision is made on."""
    (new,) = adopter.folder.rglob("*more.py")
    (parent,) = re.findall(r"^down_revision.*= ['\"](\w+)", new.read_text(), re.MULTILINE)
    return str(parent)
