"""A project's revision files, read as text, without Alembic and SQLAlchemy."""
