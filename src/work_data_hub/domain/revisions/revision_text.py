"""Reads a revision file as text, as far as that tells what executing it would give.

Statements of the module are followed in their order; a name that only execution could tell (a
call, an import, an assignment under a condition) is a finding, and the full path then decides.
"""

from __future__ import annotations

import unicodedata

from work_data_hub.domain.finding import WARNING, Finding
from work_data_hub.domain.revisions.expression import UntellableError
from work_data_hub.domain.revisions.module_names import DOCSTRING, ModuleNames
from work_data_hub.domain.revisions.revision_file import Declared, description_of
from work_data_hub.domain.revisions.syntax_tree import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ast

_ILLEGAL = "@-+:"  # alembic.script.revision._revision_illegal_chars
_HINTS = ("global", ":=", "eval", "locals", "vars", "setattr", "delattr", "modules", "__dict__")
# What may be one text or several.
_LISTED = ("down_revision", "depends_on", "branch_labels")


def read_revision(source: bytes, path: str) -> Declared | Finding:
    """Return what the text of a revision file declares.

    Args:
        source: the file's bytes; its coding cookie and byte order mark are honoured (PEP 263).
        path: what a finding calls the file.

    Returns:
        What it declares, or the finding that it cannot be told without executing the file.
    """
    try:
        module = _parse(source)
        names = ModuleNames()
        if _may_hide_a_change(source):
            names.distrust(module)
        names.follow(module)
        names.distrust_lists(module, _LISTED)
        return _declared(names)
    except UntellableError as found:
        if found.code != "computed":
            return Finding(found.code, found.reason, path, found.line)
        message = f"only executing it could tell what it declares: {found.reason}"
        return Finding(found.code, message, path, found.line, WARNING)


def _parse(source: bytes) -> _ast.Module:
    try:
        return parse(source)
    except SyntaxError as error:
        raise UntellableError("not-python", error.lineno or 1, f"{error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UntellableError("not-python", 1, f"{error}") from None


def _may_hide_a_change(source: bytes) -> bool:
    """Whether the text must be searched for changes that the module's statements do not show.

    Python folds the compatibility forms of letters in identifiers (NFKC, PEP 3131), and a coding
    cookie may hide what the bytes spell.
    """
    cookie = b"".join(source.split(b"\n", 2)[:2]).partition(b"coding")
    if cookie[1] and not cookie[2].lstrip(b":= ").lower().startswith((b"utf-8", b"utf8")):
        return True
    text = source.decode("utf-8", "replace")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return any(hint in text for hint in _HINTS) or "exec" in text.replace("execut", "")


def _declared(names: ModuleNames) -> Declared:
    for name in ("revision", "down_revision"):
        if not names.has(name):
            # An empty down_revision must be written too: Alembic's own template does.
            raise UntellableError("no-revision", 1, f"it sets no {name}")
    revision = names.get("revision")
    if not isinstance(revision, str):
        raise UntellableError("refused", names.line("revision"), "revision is no text")
    for character in _ILLEGAL:
        if character in revision:
            reason = f"Alembic allows no {character!r} in a revision id ({revision!r})"
            raise UntellableError("refused", names.line("revision"), reason)
    parents, dependencies, labels = (_texts(names, name) for name in _LISTED)
    return Declared(revision, parents, dependencies, labels, _description(names))


def _texts(names: ModuleNames, name: str) -> tuple[str, ...]:
    value = names.get(name)
    if value is None:
        return ()
    texts = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise UntellableError("refused", names.line(name), f"{name} is no text")
    return texts


def _description(names: ModuleNames) -> str:
    text = names.get(DOCSTRING)
    return description_of(text) if isinstance(text, str) else ""
