"""A first author, on another branch."""

import sqlalchemy as sa
from alembic import op

revision = "91bb07de6c53"
down_revision = "3f1c0a9b7d21"
branch_labels = ("people",)
depends_on = None


def upgrade() -> None:
    authors = sa.table("authors", sa.column("name"))
    op.bulk_insert(authors, [{"name": "Selma Lagerlöf"}])


def downgrade() -> None:
    op.execute("DELETE FROM authors WHERE name = 'Selma Lagerlöf'")
