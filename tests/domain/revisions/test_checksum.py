from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from work_data_hub.domain.revisions.checksum import checksum, other_checksum

if TYPE_CHECKING:
    from collections.abc import Callable

REVISION = '''"""Create orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "20260101_0000"
down_revision: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.String(10), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("orders")
'''

SAME = {
    "a comment": REVISION.replace("    op.drop", "    # gone\n    op.drop"),
    "another docstring": REVISION.replace('"""Create orders."""', '"""Words."""'),
    "no function docstring": REVISION.replace('    """Apply."""\n', ""),
    "other quotes": REVISION.replace('"orders"', "'orders'"),
    "one line": REVISION.replace(",\n        ", ", ").replace(",\n    )", ")"),
    "no annotations": REVISION.replace(": str | None", "").replace(" -> None", ""),
    "sorted imports": REVISION.replace(
        "import sqlalchemy as sa\nfrom alembic import op",
        "from alembic import op\nimport sqlalchemy as sa",
    ),
    "an unused import": REVISION.replace("import sq", "from typing import Union\nimport sq", 1),
    "a pass": REVISION.replace(
        '    op.drop_table("orders")', '    pass\n    op.drop_table("orders")'
    ),
    "windows line ends": REVISION.replace("\n", "\r\n"),
}

OTHER = {
    "another table": REVISION.replace('"orders"', '"order"'),
    "another type": REVISION.replace("sa.Integer", "sa.BigInteger"),
    "another length": REVISION.replace("10", "11"),
    "another flag": REVISION.replace("nullable=True", "nullable=False"),
    "none for true": REVISION.replace("nullable=True", "nullable=None"),
    "one operation more": REVISION.replace("    op.drop", '    op.drop_table("x")\n    op.drop'),
    "another order": REVISION.replace('"id", sa', '"note2", sa'),
    "another import": REVISION.replace("import sqlalchemy as sa", "import mine as sa"),
    "another parent": REVISION.replace("| None = None", '| None = "20250101_0000"'),
    "an empty text for another": REVISION.replace('"note"', '""'),
    "a number for text": REVISION.replace('"note"', "1"),
}


# Two letters: to every version of Python printable; to 3.12, and not to 3.11.
LETTERS = """
'''é \U0001fae8'''
class A:
    x: "é \U0001fae8" = "é \U0001fae8"
print(__doc__)
"""
# What a revision may hold beside plain calls, in a text that every version of Python reads.
SYNTAX = '''
import a.b, os.path as p
from . import helper
from typing import *

@decorated(1)
class Row(Base, kind=None):
    """Words."""
    x: int = 1
    y: str

async def steps(first, /, *more, only=..., **rest) -> None:
    async with first as one, one:
        yield [row async for row in one if row is not None]
    match rest:
        case {"a": [1, *_], **others} | Row(x=None):
            pass
        case str() as text if (size := len(text)) > 1:
            return lambda q, w=2: q[w:, ::-1]
    try:
        raise ValueError(f"{first!r:>{size}} {p.sep=}") from None
    except* (ValueError, OSError) as fault:
        del fault
    else:
        global total
        total @= 0xFF + 1.5j - (~3 ** -2) if not more else b"\\x00"
'''

TABLE = '''
from dataclasses import dataclass
from typing import Optional

from sqlalchemy.orm import Mapped

class Order(Base):
    __tablename__ = "orders"
    name: Mapped[str]

def sql():
    """ALTER TABLE orders ADD COLUMN a int"""

def upgrade(bind: int) -> None:
    Base.metadata.create_all(bind)
'''
SHADOWED = "from a import op\nfrom b import op\nimport c.x\nimport c.y\nop.do(c)\n"

OVERLOOKED_BY_SCHEME_1 = {
    "the type of a column": (TABLE, "Mapped[str]", "Mapped[Optional[int]]"),
    "where a type comes from": (TABLE, "from sqlalchemy.orm import", "from mine import"),
    "the field of a class in a function": (
        "def upgrade():\n    class Row:\n        if 1:\n            x: int\n    go(Row)\n",
        "x: int",
        "x: str",
    ),
    "a docstring that is executed": (TABLE + "op.execute(sql.__doc__)\n", "a int", "b int"),
    "a docstring that is asked for": (TABLE + "op.execute(getdoc(sql))\n", "a int", "b int"),
    "two imports of one name": (
        SHADOWED,
        "from a import op\nfrom b import op",
        "from b import op\nfrom a import op",
    ),
    "an import behind an assignment": (
        "import op\nop = 1\nop.do()\n",
        "import op\nop = 1",
        "op = 1\nimport op",
    ),
    "an import behind a function": (
        "import op\ndef op(): go()\nop()\n",
        "import op\ndef op(): go()",
        "def op(): go()\nimport op",
    ),
    "an import behind one under a condition": (
        "import op\nif 1:\n    import b as op\nop.do()\n",
        "import op\nif 1:\n    import b as op\n",
        "if 1:\n    import b as op\nimport op\n",
    ),
    "an import of everything": (
        "from a import *\nimport op\nop.do()\n",
        "from a import *\nimport op",
        "import op\nfrom a import *",
    ),
}

STILL_THE_SAME = {
    "a docstring that nothing reads": (TABLE, "a int", "b int"),
    "an annotation of a function": (TABLE, "bind: int", "bind: object"),
    "an annotation in a method": (
        "class A:\n    def do(self) -> int:\n        x: int = 1\n",
        "int",
        "str",
    ),
    "imports that load two parts of one package": (
        SHADOWED,
        "import c.x\nimport c.y",
        "import c.y\nimport c.x",
    ),
    "an import of which nothing is used": (SHADOWED, "import c.x", "import d\nimport c.x"),
    "a number in another base": ("x = 255\n", "255", "0xFF"),
}


def of(text: str, scheme: str = "2") -> str | None:
    return checksum(text.encode(), scheme)


@pytest.mark.parametrize("scheme", ["1", "2"])
@pytest.mark.parametrize("change", SAME)
def test_how_a_revision_is_written_changes_nothing(change: str, scheme: str) -> None:
    assert SAME[change] != REVISION
    assert of(SAME[change], scheme) == of(REVISION, scheme) is not None


@pytest.mark.parametrize("scheme", ["1", "2"])
@pytest.mark.parametrize("change", OTHER)
def test_what_a_revision_does_changes_the_checksum(change: str, scheme: str) -> None:
    assert OTHER[change] != REVISION
    assert of(OTHER[change], scheme) != of(REVISION, scheme)


@pytest.mark.parametrize("change", OVERLOOKED_BY_SCHEME_1)
def test_what_reads_like_writing_and_decides_changes_the_checksum(change: str) -> None:
    text, old, new = OVERLOOKED_BY_SCHEME_1[change]
    assert text.count(old) == 1
    edited = text.replace(old, new)
    assert None not in {of(text), of(edited)}
    assert of(text) != of(edited)
    assert of(text, "1") == of(edited, "1")


@pytest.mark.parametrize("change", STILL_THE_SAME)
def test_what_decides_nothing_changes_nothing(change: str) -> None:
    text, old, new = STILL_THE_SAME[change]
    assert old in text
    assert of(text) == of(text.replace(old, new)) is not None


@pytest.mark.parametrize(
    ("text", "scheme", "recorded"),
    [
        (REVISION, "1", "1:e15e6226a8955f4df500bc4d40f12843"),
        (REVISION, "2", "2:31f46a2420b1f78c3779b9babbcb551d"),
        (SYNTAX, "1", "1:eef6b3b54b5cec9578b43d7f5d5bd929"),
        (SYNTAX, "2", "2:cfb8e117eac159f06c006789ccf41d8c"),
        ('x = "\U0001fae8"', "2", "2:eb3edacd61912faaec6d849e504ecb81"),
        (LETTERS, "2", "2:0b3ebd47caddec257ddb5b518ccf4af8"),
    ],
    ids=["plain-1", "plain-2", "syntax-1", "syntax-2", "letter-2", "letters-2"],
)
def test_the_checksum_is_the_same_in_every_version(text: str, scheme: str, recorded: str) -> None:
    # Recorded once: what one version of Python and of this package ran, another looks at later.
    assert of(text, scheme) == recorded


@pytest.mark.parametrize(
    "source",
    [
        b"def upgrade(",
        b"x = 1\0",
        b"# coding: nonsense\n",
        "x = '\xe9'".encode("latin-1"),
        b"x = " + b"-" * 10_000 + b"1",
        b"x = " + b"+".join([b"'a'"] * 50_000),
    ],
    ids=["syntax", "NUL", "unknown coding", "not UTF-8", "memory", "recursion"],
)
def test_what_python_does_not_read_has_no_checksum(source: bytes) -> None:
    assert checksum(source) is None
    assert other_checksum(source, "2:abc") == "2:none"


DEEP: dict[str, Callable[[int, str], str]] = {
    "joined texts": lambda n, end: " + ".join(['"a"'] * n + [f'"{end}"']),
    "attributes": lambda n, end: "a" + ".b" * n + f".{end}",
    "calls": lambda n, end: "a" + "()" * n + f"({end})",
    "signs": lambda n, end: "-" * n + f"len('{end}')",
    "lambdas": lambda n, end: "lambda: " * n + end,
}


@pytest.mark.parametrize("kind", DEEP)
def test_what_python_reads_has_a_checksum_however_deep_it_is(kind: str) -> None:
    text = f"x = {DEEP[kind](2_000, 'y')}\n"
    compile(text, "revision.py", "exec")
    assert of(text) != of(text.replace("y", "z"))
    assert of(text) == of(text.replace("x =", "x   =")) is not None


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: f"# coding: latin-1\n{text}".encode("latin-1"),
        lambda text: f"#!/usr/bin/python\n# -*- coding: cp1252 -*-\n{text}".encode("cp1252"),
    ],
    ids=["byte order mark", "latin-1", "cp1252"],
)
def test_the_encoding_of_a_file_is_python_s_own(encode: Callable[[str], bytes]) -> None:
    text = REVISION.replace('"orders"', '"caf\xe9"')
    assert checksum(encode(text)) == of(text) is not None


@pytest.mark.parametrize("value", ['"\\ud800"', f"0x{'f' * 4300}", "1e999", '"\\d"', "b'\\xff'"])
@pytest.mark.filterwarnings("error")
def test_every_value_has_a_checksum(value: str) -> None:
    assert of(f"x = {value}\n") not in {None, of("x = 1\n")}


def test_a_recorded_checksum_is_compared_in_its_own_scheme() -> None:
    source, edited = REVISION.encode(), OTHER["another type"].encode()
    for scheme in ("1", "2"):
        recorded = str(of(REVISION, scheme))
        assert other_checksum(source, recorded) is None
        assert other_checksum(edited, recorded) == checksum(edited, scheme)
    assert other_checksum(edited, "99:written by a later version") is None
