"""Every env.py that `flask db init` has written, put together from the newest."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from work_data_hub.domain.project.flask_env import is_flask_template

FLASK_SHOP = Path(__file__).parents[3] / "examples/flask_shop/migrations"
NEWEST = ast.unparse(ast.parse((FLASK_SHOP / "env.py.before-wdh").read_bytes()))
DATABASE = "current_app.extensions['migrate'].db"


def between(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end)]


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


OF_4_0_4 = changed(
    NEWEST,
    ("except (TypeError, AttributeError):", "except TypeError:"),
    (between(NEWEST, "    conf_args =", "    connectable ="), ""),
    (
        "**conf_args",
        "process_revision_directives=process_revision_directives,"
        " **current_app.extensions['migrate'].configure_args",
    ),
)
OF_4_0_0 = changed(
    OF_4_0_4,
    (between(OF_4_0_4, "def get_engine()", "config.set_main_option"), ""),
    ("get_engine_url()", f"str({DATABASE}.get_engine().url).replace('%', '%%')"),
    ("= get_engine()", f"= {DATABASE}.get_engine()"),
    (
        "import logging\nfrom logging",
        "from __future__ import with_statement\nimport logging\nfrom logging",
    ),
)
OF_3_1 = changed(
    OF_4_0_0,
    (between(OF_4_0_0, "def get_metadata()", "def run_migrations_offline()"), ""),
    (f"target_db = {DATABASE}\n", f"target_metadata = {DATABASE}.metadata\n"),
    ("get_metadata()", "target_metadata"),
)


@pytest.mark.parametrize("written", [OF_3_1, OF_4_0_0, OF_4_0_4, NEWEST])
def test_what_any_version_wrote_is_known_and_with_a_change_it_is_not(written: str) -> None:
    assert is_flask_template(written.encode())
    assert is_flask_template(f"# Ours.\n{written}".encode())
    assert not is_flask_template(f"{written}\nprepare()".encode())
