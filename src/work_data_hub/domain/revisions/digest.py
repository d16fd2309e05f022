"""The digest of a revision's text; a room without imports that cost a short-lived command time."""

from __future__ import annotations

import hashlib


def digest(source: bytes) -> str:
    """Return the SHA-256 of the text: equal text needs no second look at its meaning."""
    return hashlib.sha256(source).hexdigest()
