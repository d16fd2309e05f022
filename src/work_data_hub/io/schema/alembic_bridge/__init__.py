"""Between Alembic and us: how it is called, what it asks, what its errors mean."""
