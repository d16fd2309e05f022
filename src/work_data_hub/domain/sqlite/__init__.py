"""SQLite's DDL as text: taken apart, merged, compared."""
