"""Columns that get other names: in a CREATE TABLE, and one after the other."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import Token, quoted, tokens, unquoted
from work_data_hub.domain.sqlite.ddl import Clause, Column, Table
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def with_names(table: Table, names: Mapping[str, str], *, itself: str) -> Table:
    """Return the table with some of its columns called otherwise, wherever it names them itself.

    Args:
        table: which may bear a temporary name.
        names: the new names by the old ones.
        itself: what its foreign keys call the table.
    """
    if not names:
        return table
    return replace(
        table,
        columns=tuple(
            Column(
                names.get(c.name, c.name),
                quoted(names[c.name]) if c.name in names else c.written,
                c.type,
                tuple(_clause_with_names(itself, clause, names) for clause in c.clauses),
            )
            for c in table.columns
        ),
        constraints=tuple(_clause_with_names(itself, c, names) for c in table.constraints),
    )


def renames(new_names: Mapping[str, str], present: Iterable[str]) -> list[tuple[str, str]]:
    """Return renamings, one after the other, that give columns their new names.

    One goes by way of a third name when its new name is the present name of another.

    Args:
        new_names: by the old ones.
        present: what all columns of the table are called now.
    """
    taken = {folded(name) for name in present}
    first, then = [], []
    for old, new in new_names.items():
        if folded(new) in taken and folded(new) != folded(old):
            first.append((old, f"_renamed_{old}"))
            then.append((f"_renamed_{old}", new))
        else:
            then.append((old, new))
    return [*first, *then]


def _clause_with_names(table: str, clause: Clause, names: Mapping[str, str]) -> Clause:
    end = len(clause.text)
    reference = next((t for t in tokens(clause.text) if t.word == "REFERENCES"), None)
    itself = folded(clause.target) == folded(table)
    if reference is not None and not itself:
        end = reference.start
    return replace(
        clause,
        text=_text_with_names(clause.text[:end], names) + clause.text[end:],
        columns=tuple(names.get(name, name) for name in clause.columns),
        target_columns=tuple(names.get(n, n) if itself else n for n in clause.target_columns),
    )


def _text_with_names(text: str, names: Mapping[str, str]) -> str:
    pieces, position, depth = [], 0, 0
    for token, following in pairwise([*tokens(text), Token("mark", ";", len(text), len(text))]):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        is_name = token.kind in ("word", "quoted") and following.text != "("
        if depth and is_name and unquoted(token.text) in names:
            pieces += [text[position : token.start], quoted(names[unquoted(token.text)])]
            position = token.end
    return "".join([*pieces, text[position:]])
