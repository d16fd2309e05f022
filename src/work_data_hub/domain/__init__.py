"""Pure rules of schema management: standard library only, no clock, no files."""
