"""What a run does not need it does not import: that is most of the time of a short one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

OF_NO_RUN = {
    *("pydantic", "pydantic_settings", "dotenv"),
    "work_data_hub.io.schema.authoring",
    "work_data_hub.io.schema.sqlite.batch",
}
OF_ANOTHER_ENGINE = {
    "sqlite": {"psycopg", "psycopg2"},
    "postgresql": {
        "work_data_hub.io.schema.locks.file_lock",
        "work_data_hub.io.schema.sqlite",
        "work_data_hub.domain.sqlite",
    },
}
CODE = """
import sys
from alembic.config import main
main(argv=["upgrade", "head"])
print("\\n".join(sys.modules))
"""


def test_a_run_imports_what_it_needs(
    make_history: Callable[..., Path],
    revision_body: Any,
    database_url: URL,
    clean_environment: dict[str, str],
) -> None:
    body = "op.create_table('t', sa.Column('n', sa.Integer, primary_key=True))"
    text = database_url.render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=make_history([revision_body(body)]),
        env={**clean_environment, "DATABASE_URL": text},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    imported = set(ended.stdout.split())
    assert "work_data_hub.io.schema.run.guard" in imported
    needless = OF_NO_RUN | OF_ANOTHER_ENGINE[database_url.get_backend_name()]
    assert imported & needless == set()
