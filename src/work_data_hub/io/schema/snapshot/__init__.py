"""A schema as plain data."""
