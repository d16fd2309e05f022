"""Reads what a database records about itself, through its driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_data_hub.config.database_address import DatabaseAddress
    from work_data_hub.domain.record.record import DatabaseRecord


def read_record(address: DatabaseAddress) -> DatabaseRecord | None:
    """Return the record of a history in Alembic's usual table; None when it cannot be told.

    None also stands for what only the whole run can judge and word: no database, no rights, a
    missing table, a file that may not be written to, a locked row. Changes nothing.
    """
    # Each driver costs time to import, and one is never needed.
    if address.backend == "sqlite":
        from work_data_hub.io.schema.first_look.record_sqlite import read_sqlite

        return read_sqlite(address)
    if address.backend == "postgresql":
        from work_data_hub.io.schema.first_look.record_postgresql import read_postgresql

        return read_postgresql(address)
    return None
