from __future__ import annotations

import pytest

from work_data_hub.domain.revisions.revision_edit import NewPlace, edit_revision
from work_data_hub.errors import HistoryError

PLACE = NewPlace("20260202_0000", "20260201_0000", {"20260101_0000": "20260202_0000", "dep": "new"})
BODY = "\ndef upgrade():\n    pass  # 20260101_0000, Größe ✓\n"


def edited(source: str, encoding: str = "utf-8") -> str:
    return edit_revision(source.encode(encoding), "x.py", PLACE)[0].decode(encoding)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('revision = "20260101_0000"\ndown_revision = "a"\n', None),
        ("revision: str='20260101_0000'\ndown_revision: str | None = None # x\n", None),
        (
            'revision = ("20260101_0000")\ndown_revision = ("a",)\n',
            'revision = ("20260202_0000")\ndown_revision = ("20260201_0000",)\n',
        ),
        (
            'revision = "20260101_0000"; down_revision = (\n    "a",  # x\n    "b",\n)\n',
            'revision = "20260202_0000"; down_revision = "20260201_0000"\n',
        ),
        (
            'x = "äö"; revision = "20260101_0000"\ndown_revision = ["a"]\n'
            'depends_on = ["dep", "é"]\n',
            'x = "äö"; revision = "20260202_0000"\ndown_revision = ["20260201_0000"]\n'
            'depends_on = ["new", "é"]\n',
        ),
    ],
)
def test_only_the_values_change(before: str, after: str | None) -> None:
    if after is None:
        after = before.replace("20260101_0000", "20260202_0000")
        quote = "'" if "'" in before else '"'
        new = f"{quote}20260201_0000{quote}"
        after = after.replace("None #", f"{new} #").replace('"a"', new)
    assert edited(before + BODY) == after + BODY
    windows = (before + BODY).replace("\n", "\r\n")
    assert edited(windows) == (after + BODY).replace("\n", "\r\n")


def test_coding_and_byte_order_mark_stay() -> None:
    text = 'revision = "20260101_0000"\ndown_revision = "a"\nx = "ä"\n'
    expected = 'revision = "20260202_0000"\ndown_revision = "20260201_0000"\nx = "ä"\n'
    assert edited("\ufeff" + text) == "\ufeff" + expected
    cookie = "# coding: latin-1\n"
    assert edited(cookie + text, "latin-1") == cookie + expected


def test_the_docstring_follows() -> None:
    before = (
        '"""Add x.\n\nRevision ID: 20260101_0000\nRevises: a, b\nCreate Date: 2026-01-01\n"""\n'
        'revision = "20260101_0000"\ndown_revision = "a", "b"\n'
    )
    source, edits = edit_revision(before.encode(), "x.py", PLACE)
    assert source.decode() == (
        '"""Add x.\n\nRevision ID: 20260202_0000\nRevises: 20260201_0000\n'
        'Create Date: 2026-01-01\n"""\n'
        'revision = "20260202_0000"\ndown_revision = "20260201_0000"\n'
    )
    assert [edit.line for edit in edits] == [3, 4, 7, 8]


@pytest.mark.parametrize(
    "source",
    [
        'ID = "20260101_0000"\nrevision = ID\ndown_revision = "a"\n',
        'revision = "x"\nrevision = "20260101_0000"\ndown_revision = "a"\n',
        'revision, down_revision = "20260101_0000", "a"\n',
        'revision = "20260101_0000"\ndown_revision = f()\n',
        'revision = "20260101_0000"\ndown_revision = "a"\nD = "dep"\ndepends_on = D\n',
        "revision = (\n",
    ],
)
def test_what_is_not_plain_text_is_left_to_a_person(source: str) -> None:
    with pytest.raises(HistoryError, match=r"x\.py:\d+: it cannot be put on another parent"):
        edit_revision(source.encode(), "x.py", PLACE)
