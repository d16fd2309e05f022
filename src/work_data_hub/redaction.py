"""Takes secrets out of texts: what is printed, and what is stored for people to read.

A text comes from anywhere: a revision's statement, a driver, an argument that stands in the wrong
place. What may be a secret is hidden; that a little more is hidden now and then is accepted.
Patterns are compiled when they are first used: whoever has no fault to word does not pay for them.
"""

from __future__ import annotations

import re

HIDDEN = "***"
# What the name of a secret ends with: in a URL's query, in a connection string, before a "=".
SECRET_ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credentials"),
    *("api_key", "apikey", "access_key", "secret_key", "private_key"),
)
# Short for them in a URL's query; elsewhere they are words of every other text.
_ENDINGS_IN_A_QUERY = (*SECRET_ENDINGS, "pass", "key")
# Those that are followed by a literal where they mean a secret, without a "=".
_SPOKEN = r"(?:password|passwd|passphrase|passcode|pwd|identified\s+(?:with\s+\S+\s+)?(?:by|as))"
_NAMES = rf"(?:{'|'.join(name.replace('_', '[_-]?') for name in SECRET_ENDINGS)})"

# In a string that is itself in a string quotes are doubled. A literal may have been cut off.
_LITERAL = r"""(?: [en]? (?: ''(?:[^']|'''')+(?:''|\Z) | '(?:[^'\\]|\\.|'')*(?:'|\Z) )
    | u&'[^']*(?:'|\Z) | "(?:[^"\\]|\\.|"")*(?:"|\Z)
    | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z) )"""
# Up to a space; a quote that a letter follows belongs to it.
_BARE = r"""(?: \\. | '' | ['"](?=\w) | [^\s'"\\] )+"""
_PATTERNS = (
    # scheme://user:password@host; a path drops the second slash. An "@" or a space may stand in
    # the password, but a port is none.
    r"""(?P<kept> (?:[a-z\d+.-]|(?<![^\s'"=])) :/{1,2}[^\s:/@'"]* : ) (?!(?:\*\*\*|password)@)
        (?: \S* | (?!\d{1,5}(?:[/?\s]|\Z)) (?:(?!://)[^\n])* ) (?=@)""",
    # The same, cut off before the "@".
    r"""(?P<kept> (?:[a-z\d+.-]|(?<![^\s'"=])) :/{1,2}[^\s:/@'"]* : )
        (?!(?:\*\*\*|password)@) (?!\d{1,5}(?:[^\w@]|\Z))
        [^\s'"/@]+ (?=['"\s]|\Z)""",
    rf"""(?P<kept> {_NAMES}['"]? (?:\s|%20|\+)* (?: =>? | := | %3d ) (?:\s|%20|\+)* )
        (?: {_LITERAL} | {_BARE} )""",
    rf"""(?P<kept> (?: {_NAMES}['"] | {_SPOKEN} ) \s*:\s* ) {_LITERAL}""",
    rf"""(?P<kept> \b{_SPOKEN} (?:\s+|\s*\(\s*) (?:password\s+)? ) {_LITERAL}""",
    # An option of a command, in a line or in a list; and a header.
    rf"""(?P<kept> (?<![\w-]) --[\w-]* {_NAMES} (?: ['"],\s*['"] | \s+ ) ) (?!\*\*\*|-) {_BARE}""",
    rf"""(?P<kept> \bauthorization ['"]?\s*[:=]\s*['"]? (?:bearer|basic)\s+ ) (?!\*\*\*) {_BARE}""",
)
# Without one of these there is nothing to look for.
_HINTS = (
    *(":/", "pass", "pwd", "secret", "token", "credential", "identified", "authorization"),
    *(f"{kind}{between}key" for kind in ("api", "access", "private") for between in ("", "_", "-")),
)
_FLAGS = re.IGNORECASE | re.VERBOSE | re.DOTALL
# After one of these words nothing of a statement is shown, if any literal is there: a secret may be
# put together of several, or be the value of a column.
_TELLING = (
    r"password|passwd|passphrase|passcode|pwd|secret|token(?!i[sz])|credential"
    r"|(?:api|access|private)_?key|\bidentified\s"
)
_QUOTED = r"""['"][^'"]+['"]|[«»„“”][^«»„“”]+[«»„“”]"""


def without_secrets(text: str) -> str:
    """Return a text with ``***`` in place of each secret that can be told from what is before it.

    Those are the password of a URL, the values of ``password=`` and the like in a URL, a connection
    string or a statement, and a literal after ``PASSWORD`` or ``IDENTIFIED BY``.
    """
    if not _may_hold_secret(text):
        return text
    for pattern in _PATTERNS:
        text = re.sub(pattern, rf"\g<kept>{HIDDEN}", text, flags=_FLAGS)
    return text


def statement_without_secrets(statement: str) -> str:
    """Return a SQL statement as far as it may be shown.

    After the first word that speaks of a secret nothing is shown if there is any literal.
    """
    return without_secrets(_divided(statement)[0])


def message_without_secrets(message: str, statement: str | None) -> str:
    """Return what a driver says of a statement, without what it quotes of a secret."""
    if statement is not None and speaks_of_secret(statement):
        # Lines below show the statement and its values; a literal may be broken off by a quote.
        message, hidden = message.partition("\n")[0], _divided(statement)[1]
        message = re.sub(_QUOTED, lambda found: _hidden_if(found[0], hidden), message)
    return without_secrets(message)


def speaks_of_secret(statement: str) -> bool:
    """Whether a word of a SQL statement is one for a secret: a parameter of it may be one."""
    return _may_hold_secret(statement) and _telling(statement) is not None


def is_secret(key: str) -> bool:
    """Whether the value of a key of a URL's query is a secret."""
    return key.lower().endswith(_ENDINGS_IN_A_QUERY)


def _may_hold_secret(text: str) -> bool:
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def _telling(statement: str) -> re.Match[str] | None:
    return re.search(_TELLING, statement, re.IGNORECASE)


def _divided(statement: str) -> tuple[str, str]:
    """Return what may be shown of a statement, and what is behind it."""
    found = _telling(statement) if _may_hold_secret(statement) else None
    if found is None or not re.search(r"'|\$\w*\$", statement[found.end() :]):
        return statement, ""
    return f"{statement[: found.end()]} {HIDDEN}", statement[found.end() :]


def _hidden_if(quoted: str, hidden: str) -> str:
    return f"{quoted[0]}{HIDDEN}{quoted[-1]}" if quoted[1:-1].lower() in hidden.lower() else quoted
