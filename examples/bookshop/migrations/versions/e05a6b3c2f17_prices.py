"""Prices."""

import sqlalchemy as sa
from alembic import op

revision = "e05a6b3c2f17"
down_revision = "c7704f1e98d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("books", sa.Column("price", sa.Numeric(8, 2)))


def downgrade() -> None:
    op.drop_column("books", "price")
