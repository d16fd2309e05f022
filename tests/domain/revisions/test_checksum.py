from __future__ import annotations

import pytest

from work_data_hub.domain.revisions.checksum import checksum

REVISION = '''"""Create orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "20260101_0000"
down_revision: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.String(10), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("orders")
'''

SAME = {
    "a comment": REVISION.replace("    op.drop", "    # gone\n    op.drop"),
    "another docstring": REVISION.replace('"""Create orders."""', '"""Words."""'),
    "no function docstring": REVISION.replace('    """Apply."""\n', ""),
    "other quotes": REVISION.replace('"orders"', "'orders'"),
    "one line": REVISION.replace(",\n        ", ", ").replace(",\n    )", ")"),
    "no annotations": REVISION.replace(": str | None", "").replace(" -> None", ""),
    "sorted imports": REVISION.replace(
        "import sqlalchemy as sa\nfrom alembic import op",
        "from alembic import op\nimport sqlalchemy as sa",
    ),
    "an unused import": REVISION.replace("import sq", "from typing import Union\nimport sq", 1),
    "a pass": REVISION.replace(
        '    op.drop_table("orders")', '    pass\n    op.drop_table("orders")'
    ),
    "windows line ends": REVISION.replace("\n", "\r\n"),
}

OTHER = {
    "another table": REVISION.replace('"orders"', '"order"'),
    "another type": REVISION.replace("sa.Integer", "sa.BigInteger"),
    "another length": REVISION.replace("10", "11"),
    "another flag": REVISION.replace("nullable=True", "nullable=False"),
    "none for true": REVISION.replace("nullable=True", "nullable=None"),
    "one operation more": REVISION.replace("    op.drop", '    op.drop_table("x")\n    op.drop'),
    "another order": REVISION.replace('"id", sa', '"note2", sa'),
    "another import": REVISION.replace("import sqlalchemy as sa", "import mine as sa"),
    "another parent": REVISION.replace("| None = None", '| None = "20250101_0000"'),
    "an empty text for another": REVISION.replace('"note"', '""'),
    "a number for text": REVISION.replace('"note"', "1"),
}


@pytest.mark.parametrize("change", SAME)
def test_how_a_revision_is_written_changes_nothing(change: str) -> None:
    assert SAME[change] != REVISION
    assert checksum(SAME[change]) == checksum(REVISION)


@pytest.mark.parametrize("change", OTHER)
def test_what_a_revision_does_changes_the_checksum(change: str) -> None:
    assert OTHER[change] != REVISION
    assert checksum(OTHER[change]) != checksum(REVISION)


def test_the_checksum_is_the_same_in_every_version_of_python() -> None:
    # Recorded once: a database that was migrated by one Python is run by another later.
    assert checksum(REVISION) == "1:e15e6226a8955f4df500bc4d40f12843"


def test_what_is_not_python_has_no_checksum() -> None:
    with pytest.raises(SyntaxError):
        checksum("def upgrade(")
