"""Runs a command of Python's as if it were another moment, for the ids of new revisions.

Called with the moment, the module, and its arguments.
"""

from __future__ import annotations

import runpy
import sys
from datetime import datetime, tzinfo
from unittest.mock import patch

from work_data_hub.io.schema.authoring import rebase, writer

if __name__ == "__main__":
    moment = datetime.fromisoformat(sys.argv.pop(1))

    class Then(datetime):
        """The clock of that moment."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Then:
            return cls.fromtimestamp(moment.timestamp(), tz)

    with patch.object(writer, "datetime", Then), patch.object(rebase, "datetime", Then):
        runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
