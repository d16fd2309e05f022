"""Reads a revision file into a syntax tree as Python itself reads it, and without its warnings."""

from __future__ import annotations

# Not `ast`: its own import costs as much as reading a hundred files.
import _ast
import warnings


def parse(source: bytes) -> _ast.Module:
    """Return the tree of a file.

    Args:
        source: the file's bytes; its coding cookie and byte order mark are honoured (PEP 263).

    Raises:
        SyntaxError, ValueError: it is not Python.
        RecursionError, MemoryError: it is nested too deeply.
    """
    # Warnings on escapes such as "\d" are for whoever compiles the file.
    with warnings.catch_warnings():
        if b"\\" in source:
            warnings.simplefilter("ignore")
        module = compile(source, "<revision>", "exec", _ast.PyCF_ONLY_AST)
    assert isinstance(module, _ast.Module)
    return module
