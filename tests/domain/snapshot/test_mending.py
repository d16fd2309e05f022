"""What no server of the suite has, or nothing can mend: the statements, and the notes."""

from __future__ import annotations

import pytest

from work_data_hub.domain.snapshot.mending import mends
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot


def one(kind: str, name: str = "public.x", **properties: str) -> Snapshot:
    told = {key.replace("_", " "): value for key, value in properties.items()}
    return Snapshot("postgresql", [SchemaObject(kind, name, told, own_name=name)], "me")


NOTHING = Snapshot("postgresql", [], "me")
VERSION = "the server has to have the files of that version"


@pytest.mark.parametrize(
    ("wanted", "found", "statements", "note"),
    [
        (
            one("extension", "citext", schema="public", version="1.6"),
            NOTHING,
            ("CREATE EXTENSION citext WITH SCHEMA public VERSION '1.6'",),
            VERSION,
        ),
        (
            one("extension", "citext", schema="public", version="1.6"),
            one("extension", "citext", schema="other", version="1.5"),
            (
                "ALTER EXTENSION citext SET SCHEMA public",
                "ALTER EXTENSION citext UPDATE TO '1.6'",
            ),
            VERSION,
        ),
        (
            one("extension", "citext", schema="public", version="1.6"),
            one("extension", "hstore", schema="public", version="1.6"),
            (
                "CREATE EXTENSION citext WITH SCHEMA public VERSION '1.6'",
                "DROP EXTENSION hstore",
            ),
            VERSION,
        ),
        (
            one("foreign table"),
            NOTHING,
            (),
            "it is not known which server it is of, and how: CREATE FOREIGN TABLE is up to you",
        ),
        (
            one("table", partitioned_by="RANGE (a)"),
            one("table"),
            (),
            "public.x cannot be partitioned otherwise: make another table, copy the rows, and"
            " exchange both",
        ),
        (
            one("domain", type="bigint"),
            one("domain", type="integer"),
            (),
            "what a domain is made of stays: make another, give it to the columns, and drop this"
            " one",
        ),
        (
            one("table", owner="some one"),
            one("table"),
            ('ALTER TABLE public.x OWNER TO "some one"',),
            "",
        ),
        (one("table"), one("table", owner="you"), ('ALTER TABLE public.x OWNER TO "me"',), ""),
    ],
)
def test_what_ends_a_difference(
    wanted: Snapshot, found: Snapshot, statements: tuple[str, ...], note: str
) -> None:
    (mend,) = mends(wanted, found)
    assert (mend.statements, mend.note) == (statements, note)
    assert not mend.loses_data
    assert not mend.outside_transaction


def test_whoever_runs_it_is_the_owner_where_nobody_is_known() -> None:
    found = Snapshot("postgresql", one("table", owner="you"))
    (mend,) = mends(one("table"), found)
    assert mend.statements == ("ALTER TABLE public.x OWNER TO CURRENT_USER",)
