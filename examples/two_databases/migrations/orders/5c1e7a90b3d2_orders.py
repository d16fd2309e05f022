"""Make orders."""

import sqlalchemy as sa
from alembic import op

revision = "5c1e7a90b3d2"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("orders")
