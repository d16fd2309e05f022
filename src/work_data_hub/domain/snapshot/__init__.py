"""A schema as a value, and how two of them differ: pure, without a database."""
