"""Throw-away databases: servers, templates, copies."""
