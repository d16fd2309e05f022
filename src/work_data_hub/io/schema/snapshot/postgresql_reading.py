"""One reading of a PostgreSQL catalogue: what every part of a snapshot needs to know."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from work_data_hub.domain.record.record import NOT_THE_SCHEMA
from work_data_hub.domain.snapshot.postgresql_names import is_given
from work_data_hub.domain.snapshot.schema import OWNER
from work_data_hub.io.schema.snapshot import postgresql_catalog as catalogue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.snapshot.schema import Value

_KINDS = {
    "r": "table",
    "p": "table",
    "f": "foreign table",
    "v": "view",
    "m": "materialized view",
    "c": "composite type",
}


class Relation(NamedTuple):
    """What is known of a relation by those that go with it; ``name`` has its schema."""

    name: str
    bare: str
    kind: str


class Reading:
    """What was read of a database.

    Attributes:
        schema_rows: the schemas that are read.
        schemas: their names by oid, as SQL wants them.
        relation_rows: tables, views and the like.
        relations: the same by oid; domains are added, which have constraints too.
        columns: the columns of all of them.
        column_names: by relation and number, as SQL wants them and as they are.
        sequences: the sequences.
        given_sequences: those of columns that nobody named: what SQL calls them, and what they
            are called here.
        main_owner: who owns most.
    """

    def __init__(self, connection: Connection, without: Collection[str]) -> None:
        """Read what the parts of a snapshot have in common.

        Args:
            connection: whose session writes names with their schemas.
            without: schemas that are not read.
        """
        self._connection = connection
        self.schemas: dict[int, str] = {}
        rows = self.rows(catalogue.SCHEMAS)
        self.schema_rows = [row for row in rows if row[2] not in without]
        self.schemas |= {row[0]: row[1] for row in self.schema_rows}
        self._comments = {tuple(row[:3]): row[3] for row in self.rows(catalogue.COMMENTS)}
        self.relation_rows = [
            row for row in self.rows(catalogue.RELATIONS) if row[3] not in NOT_THE_SCHEMA
        ]
        self.relations = {
            row[0]: Relation(f"{self.schemas[row[1]]}.{row[2]}", row[3], _KINDS[row[4]])
            for row in self.relation_rows
        }
        self.columns = self.rows(catalogue.COLUMNS)
        self.column_names = {(row[0], row[1]): (row[2], row[3]) for row in self.columns}
        self.sequences = self.rows(catalogue.SEQUENCES)
        self.given_sequences = dict(self._sequences_nobody_named())
        owners = Counter(row[6] for row in self.relation_rows)
        self.main_owner = owners.most_common(1)[0][0] if owners else None

    def rows(self, statement: str) -> Sequence[Any]:
        """Return the answer to a statement of the catalogue's room, for the schemas it is about."""
        oids = ",".join(map(str, self.schemas))
        text = statement.replace("{schemas}", f"'{{{oids}}}'::oid[]").replace("{owner}", OWNER)
        options = {"no_parameters": True}
        return self._connection.exec_driver_sql(text, execution_options=options).all()

    def told(
        self, table: str, oid: int, *, owner: str | None = None, grants: Sequence[str] | None = None
    ) -> dict[str, Value]:
        """Return the properties that every kind of object may have.

        Args:
            table: of the catalogue, that the object is in.
            oid: its number there.
            owner: who owns it; whoever owns most is ``(owner)``, which is not said.
            grants: what is granted on it and what was revoked.
        """
        return {
            "owner": None if owner is None or owner == self.main_owner else owner,
            "grants": tuple(grants or ()),
            "comment": self.comment(table, oid),
        }

    def comment(self, table: str, oid: int, column: int = 0) -> str | None:
        """Return the comment on an object, or on a column of one."""
        return self._comments.get((table, oid, column))

    def _sequences_nobody_named(self) -> Iterator[tuple[str, str]]:
        for row in self.sequences:
            owner = self.column_names.get((row[13], row[14]))
            relation = self.relations.get(row[13])
            if owner and relation and is_given(row[3], relation.bare, [owner[1]], "seq"):
                yield f"{self.schemas[row[1]]}.{row[2]}", f"{relation.name}.{owner[0]} sequence"
