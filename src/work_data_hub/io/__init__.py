"""Everything that touches files, databases and processes."""
