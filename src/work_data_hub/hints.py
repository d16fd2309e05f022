"""The commands in a hint, made those for the project and the database that were named.

Who wrote a hint does not know what was typed. Whoever prints it does, and pasted as it was written
it would mean what the settings say: another database, another project.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from work_data_hub.config.database_address import parse_address
from work_data_hub.errors import SettingsError
from work_data_hub.redaction import HIDDEN

_COMMAND = re.compile(
    r"""\bwdh [ ] (?:db|runs) [ ] (?P<verb>[a-z]+)\b (?![ ]--help)
    | \balembic (?=[ ] (?: -x[ ] | (?: branches|check|current|downgrade|ensure_version|heads|history
        |merge|revision|show|stamp|upgrade )\b ))""",
    re.VERBOSE,
)
_END_OF_COMMAND = re.compile(r"[`;,]|$")
# In the place of a URL that holds a secret.
_URL = "URL"
_WHAT_URL_IS = f" ({_URL}: the database that you named)"
_FILES_ALONE = "init"


class Named(NamedTuple):
    """What was named at the command line, and what a command that is printed must name again.

    Attributes:
        config: the project's configuration, as `wdh` must be told; None where it finds it itself.
        alembic_config: the same for `alembic`, which looks in no folder above.
        section: of that file; None where it is Alembic's usual one.
        database_url: None where the settings decide.
    """

    config: str | None = None
    alembic_config: str | None = None
    section: str | None = None
    database_url: str | None = None

    def in_commands(self, text: str) -> str:
        """Return a text in which each command of `wdh` and `alembic` names the same; no secrets."""
        url = None if self.database_url is None else _shown(self.database_url)
        wdh = {"--config": self.config, "--name": self.section, "--database-url": url}
        alembic = {"-c": self.alembic_config, "-n": self.section}
        if url is not None:
            alembic["-x"] = f"database_url={url}"

        def named(found: re.Match[str]) -> str:
            end = _END_OF_COMMAND.search(text, found.end())
            rest = text[found.end() : end.start() if end else None]
            options = alembic if found["verb"] is None else wdh
            if found["verb"] == _FILES_ALONE:
                options = {"--config": self.config}
            said = [
                f"{option} {shlex.quote(value)}"
                for option, value in options.items()
                if value is not None and (option == "-x" or f" {option} " not in rest)
            ]
            return " ".join([found[0], *said])

        told = _COMMAND.sub(named, text)
        return told + _WHAT_URL_IS if url == _URL and told != text else told


def unless_found(config: str | Path) -> str | None:
    """Return a configuration as it was written; None where every command finds it by itself."""
    is_found = Path(config).absolute() == Path("alembic.ini").absolute()
    return None if is_found else str(config)


def _shown(url: str) -> str:
    """Return a URL as it can be typed again, or a word for it where that would show a secret."""
    try:
        masked = parse_address(url, source="the URL").masked()
    except SettingsError:
        return _URL
    return _URL if HIDDEN in masked else masked
