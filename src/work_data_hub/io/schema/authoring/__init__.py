"""Writes revision files and projects: new, rebase, init, and the checks of an author."""
