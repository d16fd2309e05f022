"""The process that builds the schema that revisions make, for a run that cannot do it itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema.ephemeral.scratch import existing_server
from work_data_hub.io.schema.revisions import script_locations
from work_data_hub.io.schema.snapshot.expected import Expected, Wanted


def main() -> int:
    """Build what standard input asks for; what went wrong is two lines of standard output."""
    asked = json.load(sys.stdin)
    script_locations.section.set(asked["section"])
    ini, engine = asked["alembic_ini"], asked["engine"]
    try:
        server = existing_server(None) if engine == "postgresql" else None
        place = asked["default_schema"], server
        wanted = Wanted(ini and Path(ini), engine, tuple(asked["revisions"]), *place)
        Expected(wanted).kept(asked["kind"], asked["texts"])
    except WorkDataHubError as error:
        sys.stdout.write(f"{error.message}\n{error.hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
