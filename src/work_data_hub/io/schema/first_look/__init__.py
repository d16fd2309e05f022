"""Is there nothing to do? Asked through the driver alone, without Alembic and SQLAlchemy."""
