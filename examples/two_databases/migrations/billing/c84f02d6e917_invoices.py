"""Make invoices."""

import sqlalchemy as sa
from alembic import op

revision = "c84f02d6e917"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("invoices", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("invoices")
