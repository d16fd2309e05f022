"""What one SQL statement does: to which thing, and to the transaction that it runs in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import chain, islice, pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sql.lexer import first_word, tokens, unquoted, without_comments
from work_data_hub.domain.sql.script import split

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from work_data_hub.domain.sql.lexer import Dialect, Token


class Action(NamedTuple):
    """What a statement does to one named thing: ``("ALTER", "TABLE", "a", "b")`` renames a to b."""

    verb: str
    kind: str
    name: str
    new_name: str | None = None


class Kind(Enum):
    """What a statement means to somebody who runs the whole script in one transaction."""

    ORDINARY = auto()
    TRANSACTION_BRACKET = auto()  # BEGIN, COMMIT: says what is done anyway
    TRANSACTION_END = auto()  # ROLLBACK, COMMIT AND CHAIN: would end it early
    CLIENT_COMMAND = auto()  # \connect, .read: for psql or sqlite3, not for the engine
    COPY_STREAM = auto()  # COPY FROM STDIN: what follows is not SQL
    BACKSLASH_STRINGS = auto()  # standard_conforming_strings = off: changes where strings end
    FOREIGN_KEYS_OFF = auto()  # PRAGMA foreign_keys = OFF: ignored inside a transaction


@dataclass(frozen=True)
class ConcurrentIndex:
    """An index that PostgreSQL builds concurrently.

    Attributes:
        name: as PostgreSQL stores it.
        table: as the statement names it.
    """

    name: str
    table: str


@lru_cache(maxsize=4)  # who listens asks before and after a statement, and loops repeat theirs
def action_of(statement: str) -> Action:
    """Return what a statement does, read from its first words."""
    found = list(islice(_behind_with(statement), _HEAD))
    words = [token.word for token in found]
    verb = words[0] if words else ""
    position = 1
    while position < len(words) and words[position] in _BETWEEN:
        position += 1
    kind = words[position] if verb in ("CREATE", "DROP", "ALTER") and position < len(words) else ""
    position += bool(kind)
    while position < len(words) and words[position] in ("IF", "NOT", "EXISTS"):
        position += 1
    rest = found[position:]
    if len(rest) > 2 and rest[1].text == ".":
        rest = rest[2:]
    name = unquoted(rest[0].text) if rest else ""
    if verb == "ALTER" and [token.word for token in rest[1:3]] == ["RENAME", "TO"]:
        return Action(verb, kind, name, unquoted(rest[3].text) if len(rest) > 3 else "")
    return Action(verb, kind, name)


def _behind_with(statement: str) -> Iterator[Token]:
    """Return the tokens from the verb on: what WITH names before it is in parentheses."""
    found = tokens(statement)
    first = next(found, None)
    if first is None or first.word != "WITH":
        return found if first is None else chain([first], found)
    depth = 0
    for token in found:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.word in _VERBS_BEHIND_WITH:
            return chain([token], found)
    return iter([first])


def kind_of(text: str, dialect: Dialect) -> Kind:
    """Return what a statement means to somebody who runs the whole script in one transaction."""
    start = first_word(text, 0, dialect)
    if text[start : start + 1] in ("\\", "."):
        return Kind.CLIENT_COMMAND
    word = re.compile(_FIRST_WORD).match(text, start)
    if word is None or word[0].lower() not in _TELLING_WORDS:
        return Kind.ORDINARY
    plain = without_comments(text[start:], dialect)
    return next((kind for kind, rule in _RULES if re.match(f"(?is){rule}", plain)), Kind.ORDINARY)


def controls_transaction(text: str, dialect: Dialect) -> bool:
    """Whether a statement begins, ends or prepares a transaction; savepoints do not."""
    return kind_of(text, dialect) in (Kind.TRANSACTION_BRACKET, Kind.TRANSACTION_END)


def only_reads(text: str, dialect: Dialect) -> bool:
    """Whether a statement changes nothing, unless a function that it calls does."""
    plain = without_comments(text, dialect)
    return ";" not in plain.rstrip("; ") and re.match(_READS, plain) is not None


def may_be_repeated(text: str, dialect: Dialect) -> bool:
    """Whether a statement may run again after it ran, or ran in part, also among others like it.

    A short list: each makes something that is not there yet, or changes no row at all; none drops,
    renames or fills anything. So no order of them can do harm a second time. Of several statements
    in one text it is not known.
    """
    plain = without_comments(text, dialect).rstrip("; ")
    if ";" in plain:
        return False
    if concurrent_index(plain) is not None:
        return True
    return re.match(_REPEATABLE, plain) is not None and not is_made_by_select(plain)


def is_made_by_select(text: str) -> bool:
    """Whether it is CREATE TABLE ... AS; inside parentheses AS begins a generated column."""
    depth = 0
    for token in tokens(text):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth <= 0 and token.word == "AS" and action_of(text).kind == "TABLE":
            return True
    return False


def if_not_exists(text: str) -> str:
    """Return a CREATE INDEX CONCURRENTLY that does nothing when the index is there."""
    plain = without_comments(text, "postgresql")
    found = re.match(_CONCURRENT_INDEX, plain)
    if found is None or found["condition"]:
        return text
    return f"{plain[: found.start('name')]}IF NOT EXISTS {plain[found.start('name') :]}"


def concurrent_index(text: str) -> ConcurrentIndex | None:
    """Return the index that a statement builds concurrently, if it does and names it."""
    if not is_concurrent(text):
        return None
    found = re.match(_CONCURRENT_INDEX, without_comments(text, "postgresql"))
    if found is None:
        return None
    return ConcurrentIndex(_stored(found["name"]), found["table"])


def is_concurrent(text: str) -> bool:
    """Whether a statement builds or drops an index concurrently: it blocks nobody meanwhile.

    It is several transactions (PostgreSQL): one that fails leaves an INVALID index.
    """
    return _works_concurrently(text, ("CREATE", "DROP", "REINDEX"))


def may_commit_a_part(text: str, dialect: Dialect) -> bool:
    """Whether a text that failed outside of a transaction may have done something all the same.

    PostgreSQL makes one transaction of a text, but for what commits on its way: a procedure, a
    block of code, what works concurrently, a COMMIT. Of an index that could not be dropped it is
    enough to drop it again. On SQLite each statement is a transaction.
    """
    found = [each.text for each in split(text, dialect)]
    if dialect == "sqlite":
        return len(found) > 1
    return any(
        controls_transaction(each, dialect)
        or action_of(without_comments(each, dialect)).verb in ("CALL", "DO")
        or _works_concurrently(each, ("CREATE", "REINDEX", "ALTER"))
        for each in found
    )


def called_in(text: str) -> set[str]:
    """Return what stands before a parenthesis: the functions that a statement calls, and more."""
    found = [*tokens(text)]
    return {
        _stored(name.text)
        for name, behind in pairwise(found)
        if behind.text == "(" and name.kind in ("word", "quoted")
    }


def _works_concurrently(text: str, verbs: Collection[str]) -> bool:
    if "concurrently" not in text.lower():
        return False
    plain = without_comments(text, "postgresql")
    words = {token.word for token in tokens(plain)}
    return action_of(plain).verb in verbs and "CONCURRENTLY" in words


def _stored(name: str) -> str:
    """Return a name as PostgreSQL stores it: beyond ASCII its letters stay as they are."""
    return unquoted(name) if name.startswith('"') else name.translate(_TO_LOWER)


_FIRST_WORD = "[A-Za-z]+"

_TELLING_WORDS = frozenset(
    ("abort", "begin", "commit", "copy", "end", "pragma", "prepare", "rollback", "set", "start")
)
_RULES = (
    (Kind.TRANSACTION_BRACKET, r"(begin|start\s+transaction)\b"),
    (
        Kind.TRANSACTION_BRACKET,
        r"(commit|end)(\s+(work|transaction))?(\s+and\s+no\s+chain)?\s*\Z",
    ),
    (Kind.ORDINARY, r"rollback(\s+(work|transaction))?\s+to\s"),
    (Kind.TRANSACTION_END, r"(abort|commit|end|rollback|prepare\s+transaction)\b"),
    (
        Kind.COPY_STREAM,
        r"copy\s*(\(.*\)|[^()']+(\([^)]*\))?)\s*(from\s+stdin|to\s+stdout)\b",
    ),
    (
        Kind.BACKSLASH_STRINGS,
        r"set\s+((session|local)\s+)?standard_conforming_strings\s*(=|to\b)"
        r"(?!\s*'?(on|true|yes|1|default)\b)",
    ),
    (
        Kind.FOREIGN_KEYS_OFF,
        r"pragma\s+(\w+\s*\.\s*)?foreign_keys\s*[=(]\s*['\"]?(off|no|false|0)\b",
    ),
)

_HEAD = 16
_VERBS_BEHIND_WITH = frozenset(("SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "MERGE"))
# What may stand between the verb and the table or its kind.
_BETWEEN = frozenset(("INTO", "FROM", "OR", "TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL")) | frozenset(
    ("REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK")
)
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CONCURRENT_INDEX = (
    rf"(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\b\s*"
    rf"(?P<condition>IF\s+NOT\s+EXISTS\b\s*)?(?P<name>{_NAME})"
    rf"\s*(?<![\w$])ON\b\s*(?:ONLY\b\s*)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)"
)
_READS = r"(?is)(?:SELECT(?!.*\bINTO\b)|VALUES|SHOW|EXPLAIN(?!.*\bANALY[SZ]E\b)|PRAGMA(?!.*=))\b"
_REPEATABLE = r"""(?xis)(?:
        CREATE\s+(?:(?:UNLOGGED|UNIQUE)\s+)?(?:TABLE|INDEX|SEQUENCE|SCHEMA|EXTENSION)
            \s+IF\s+NOT\s+EXISTS
      | ALTER\s+TYPE\s.+\sADD\s+VALUE\s+IF\s+NOT\s+EXISTS
      | VACUUM(?!.*\bINTO\b)
      | ANALYZE
    )\b"""
