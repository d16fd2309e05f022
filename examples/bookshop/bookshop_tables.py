"""The bookshop's tables."""

import sqlalchemy as sa

metadata = sa.MetaData()

authors = sa.Table(
    "authors",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
)
books = sa.Table(
    "books",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "author_id", sa.Integer, sa.ForeignKey("authors.id", name="fk_books_author"), index=True
    ),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("price", sa.Numeric(8, 2)),
)
