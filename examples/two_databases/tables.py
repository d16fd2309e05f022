"""The tables of two databases, each in its own metadata."""

import sqlalchemy as sa

orders = sa.MetaData()
billing = sa.MetaData()
sa.Table("orders", orders, sa.Column("id", sa.Integer, primary_key=True))
sa.Table("invoices", billing, sa.Column("id", sa.Integer, primary_key=True))
