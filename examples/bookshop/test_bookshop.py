"""The bookshop's tests: the checks of its migrations that it wants, and one test of its own."""

import sqlalchemy as sa
from bookshop_tables import authors, books

# All but the one on names: the bookshop keeps Alembic's. `import *` switches all of them on.
from work_data_hub.testing.checks import (  # noqa: F401
    test_every_revision_goes_up_down_and_up_again,
    test_models_equal_migrations,
    test_models_make_what_the_migrations_make,
    test_no_revision_imports_application_code,
    test_there_is_a_single_head,
    test_upgrade_from_each_past_revision_keeps_the_rows,
)


def test_a_book_has_an_author(migrated_database_engine: sa.Engine) -> None:
    query = sa.select(authors.c.name).join_from(authors, books).where(books.c.id == 1)
    with migrated_database_engine.connect() as connection:
        assert connection.scalar(query) == "Astrid Lindgren"
