"""A whole database: made, seeded, emptied."""
