"""Books, on a branch of their own."""

import sqlalchemy as sa
from alembic import op

revision = "8d2e5c4410aa"
down_revision = "3f1c0a9b7d21"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("author_id", sa.Integer()),
        sa.Column("title", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name="fk_books_author"),
    )
    op.create_index("ix_books_author_id", "books", ["author_id"])


def downgrade() -> None:
    op.drop_table("books")
