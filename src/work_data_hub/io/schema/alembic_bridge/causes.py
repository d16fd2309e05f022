"""Takes secrets out of a fault and of the errors that led to it: a program's log holds them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import StatementError

from work_data_hub.config.database_url import scrub
from work_data_hub.redaction import (
    message_without_secrets,
    speaks_of_secret,
    statement_without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.errors import WorkDataHubError


def hide_secrets(fault: WorkDataHubError | None, error: BaseException, url: URL | None) -> None:
    """Hide them where they stand.

    Args:
        fault: the error in words; None where it has none.
        error: what was raised.
        url: the database, where one was decided on.
    """
    chain = list(_chain(error))
    failed = [each for each in chain if isinstance(each, StatementError)]
    statement = next((each.statement for each in failed), None)

    def hidden(text: str) -> str:
        text = message_without_secrets(text, statement)
        return text if url is None else scrub(text, url)

    for each in chain:
        each.args = tuple(hidden(arg) if isinstance(arg, str) else arg for arg in each.args)
    for each in failed:
        each.hide_parameters |= speaks_of_secret(each.statement or "")
        each.statement = statement_without_secrets(each.statement or "")
    if fault is not None:
        fault.hide(hidden)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
