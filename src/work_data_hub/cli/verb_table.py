"""The verbs, grouped by what one wants to do: a line of help for each, and the room that has it.

To add one: a line in its group, and in the room that it names (one room for a family of verbs, in
the folder ``verbs``) a function with the verb's name::

    @verb(argument("revision", metavar="REVISION"), examples=("wdh db show head",))
    def show(call: Namespace) -> Answer: ...

It gets the parsed command line: its own arguments, and ``verb.OF_EVERY_VERB``; ``command`` does the
rest. ``project_config.find(call.config)`` is the project. A ``-`` in the verb's name is a ``_`` in
the function's. Rooms are imported when one of their verbs is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from work_data_hub.cli.verb import Verb


class Entry(NamedTuple):
    """A verb in the table.

    Attributes:
        summary: what it does, beginning with a small letter, without a full stop; at most 64
            letters, so that its line of help has 80 columns.
        room: the module of ``cli.verbs`` that has it.
    """

    summary: str
    room: str

    def verb(self, name: str) -> Verb:
        """Return the verb of that name itself."""
        room = import_module(f"work_data_hub.cli.verbs.{self.room}")
        found: Verb = getattr(room, name.replace("-", "_"))
        return found


class Noun(NamedTuple):
    """What verbs are about.

    Attributes:
        summary: one line of help.
        description: a sentence.
        groups: what one wants to do, and the verbs for it.
    """

    summary: str
    description: str
    groups: Mapping[str, Mapping[str, Entry]]

    @property
    def verbs(self) -> dict[str, Entry]:
        """The verbs of all groups."""
        return {name: entry for group in self.groups.values() for name, entry in group.items()}


NOUNS = {
    "db": Noun(
        "the schema of a database",
        "Look at a database's schema and change it.",
        {
            "every day": {
                "status": Entry(
                    "where the database stands, what is pending, what is wrong", "look"
                ),
                "upgrade": Entry("apply what is pending, each revision in its transaction", "run"),
                "downgrade": Entry("take back the revisions above one", "take_back"),
                "redo": Entry("take back the newest revision and apply it again", "take_back"),
                "seed": Entry("load a seed file in one transaction", "seed"),
            },
            "look": {
                "drift": Entry("compare the database with what its revisions make", "drift"),
                "show": Entry("show all that a revision says of itself", "files"),
                "current": Entry("show the revisions that the database is at", "look"),
                "history": Entry("list the revisions, as a graph on a terminal", "history"),
                "heads": Entry("list the revisions that no other builds on", "files"),
                "journal": Entry("list what was run or tried on the database", "look"),
            },
            "write revisions": {
                "new": Entry("make a new revision file, named by the project's rule", "revisions"),
                "edit": Entry("open a revision's file in your editor", "files"),
                "check": Entry("compare the database's tables with those of the code", "look"),
                "verify": Entry("say what is wrong with the revision files", "revisions"),
                "merge": Entry("join several heads by a new revision", "revisions"),
                "rebase": Entry("put one's own revisions on top of the others'", "revisions"),
            },
            "deploy": {
                "create": Entry("make the database that the URL names, empty", "create"),
                "wait": Entry("wait until the database answers and stands at head", "wait"),
                "sql": Entry("print the SQL of an upgrade, to be run by hand", "run"),
            },
            "repair": {
                "doctor": Entry("name all that is unhealthy about a live database", "doctor"),
                "stamp": Entry("record a revision without running anything", "run"),
                "reset": Entry("drop everything and build it again (dev and tests)", "reset"),
            },
            "set up": {
                "init": Entry("make a project, or an empty folder, use the package", "project"),
                "eject": Entry("write a plain env.py of Alembic back, drop nothing", "project"),
                "completion": Entry("print what makes a shell complete this", "completion"),
            },
        },
    ),
    "runs": Noun(
        "the runs of pipelines, as they were recorded",
        "Look at the runs of pipelines, and keep their record.",
        {
            "look": {
                "list": Entry("list runs, the newest first", "runs"),
                "show": Entry("show all that a run says of itself", "runs"),
                "metrics": Entry("show the metrics of each pipeline over time", "runs"),
            },
            "keep": {
                "flush": Entry("load what was spooled, and close runs that died", "runs"),
                "prune": Entry("delete old runs and their metrics", "runs"),
            },
        },
    ),
}
VERBS = NOUNS["db"].verbs
