"""URLs that hold a password: the ones of the suite's own server name a file with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def spelled_out(url: URL) -> URL:
    """Return a URL with its password in it, as people have them in DATABASE_URL."""
    if "passfile" not in url.query:
        return url
    line = Path(str(url.query["passfile"])).read_text(encoding="ascii")
    password = line.strip().rpartition(":")[2]
    assert password
    return url.set(password=password).difference_update_query(["passfile"])
