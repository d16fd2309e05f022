"""What the text of a revision says is what executing it gives, or a finding."""

from __future__ import annotations

import codecs

import pytest

from work_data_hub.domain.finding import ERROR, WARNING, Finding
from work_data_hub.domain.revisions.module_names import BY_ATTRIBUTE, BY_NAME
from work_data_hub.domain.revisions.revision_file import Declared
from work_data_hub.domain.revisions.revision_text import read_revision

UPGRADE = "\n\ndef upgrade():\n    pass\n"
DECLARATIONS = 'revision = "b2"\ndown_revision = "a1"\n'

READABLE = {
    "plain": DECLARATIONS,
    "annotated": 'revision: str = "b2"\ndown_revision: "str | None" = None\n',
    "tuples": 'revision = "b2"\ndown_revision = ("a1", "a2")\ndepends_on = ("c",)\n',
    "lists": 'revision = "b2"\ndown_revision = ["a1", "a2"]\nbranch_labels = ["x"]\n',
    "empty": 'revision = "b2"\ndown_revision = ()\ndepends_on = None\n',
    "concatenated": 'revision = "b" "2"\ndown_revision = ("a" \n "1")\n',
    "sum": 'revision = "b" + "2"\ndown_revision = ("a",) + ("c",)\n',
    "constants": 'A = "a1"\nB = C = "b2"\nrevision = B\ndown_revision = (A, C)\n',
    "unpacked": 'revision, down_revision = "b2", None\n',
    "nested": '(revision, (down_revision, depends_on)) = ("b2", ("a1", ["c"]))\n',
    "f-string": 'day = "1"\nrevision = f"b{day}"\ndown_revision = f"a"\n',
    "last wins": 'revision = "a"\nrevision = "b2"\ndown_revision = None\n',
    "after functions": UPGRADE + DECLARATIONS,
    "in one line": 'revision = "b2"; down_revision = None',
    "in a docstring": '"""revision = "wrong"\n\ndef f(): pass\n"""\n' + DECLARATIONS,
    "in a string": "x = '''\nrevision = \"wrong\"\n'''\n" + DECLARATIONS,
    "in a comment": DECLARATIONS + '# revision = "wrong"\n',
    "in a function": DECLARATIONS + '\ndef upgrade():\n    revision = "wrong"\n',
    "in a class": DECLARATIONS + '\nclass A:\n    revision = "wrong"\n',
    "set anew after a condition": 'if 1:\n    revision = "a"\n' + DECLARATIONS,
    "calls in functions": DECLARATIONS + "\ndef upgrade():\n    op.execute('global')\n",
    "star above": "from os.path import *\n" + DECLARATIONS + "depends_on = branch_labels = None\n",
    "list in use elsewhere": 'names = ["a"]\nfor name in names:\n    pass\n' + DECLARATIONS,
    "continued": 'revision = \\\n    "b2"\ndown_revision \\\n = "a1"\n',
    "carriage returns": 'revision = "b2"\r\ndown_revision = None\r\n',
    "wide letters": '\uff52evision = "b2"\ndown_revision = None\n',
    "docstring": '"""\n  Größe ändern.\n\nMore.\n"""\n' + DECLARATIONS,
    "escapes": 'revision = "\\x62\\u0032"\ndown_revision = "\\d"\n',
    "set docstring": '__doc__ = "By hand."\n' + DECLARATIONS,
    "empty text": 'revision = ""\ndown_revision = ""\n',
    "in a function that nothing calls": (
        DECLARATIONS + 'def upgrade(name):\n    helper()\n    globals()[f"upgrade_{name}"]()\n\n'
        'def helper():\n    setattr(x, "y", 1)\n'
    ),
    "future": "from __future__ import annotations\n" + DECLARATIONS,
}

UNTELLABLE = {
    "a call": ("\nrevision = make()\ndown_revision = None\n", 2, "computed"),
    "a condition": ('revision = "a" if x else "b"\ndown_revision = None\n', 1, "computed"),
    "under a condition": ('revision = "a"\nif x:\n    revision = "b"\ndown_revision = 1', 2, ""),
    "an import": ("from ids import revision\ndown_revision = None\n", 1, "computed"),
    "an imported value": ("import ids\nrevision = ids.first\ndown_revision = None\n", 2, ""),
    "of an import": ('import v\nrevision = f"{v}"\ndown_revision = None\n', 2, "computed"),
    "star": (DECLARATIONS + "from ids import *\n", 3, "computed"),
    "star above": ("from ids import *\n" + DECLARATIONS, 1, "computed"),
    "star in a try": (DECLARATIONS + "try:\n    from ids import *\nfinally:\n    pass", 3, ""),
    "global": (DECLARATIONS + "def f():\n    global revision\n    revision = 1\nf()\n", 4, ""),
    "walrus": (DECLARATIONS + 'print(revision := "c")\n', 3, "computed"),
    "exec": (DECLARATIONS + "exec(\"revision = 'c'\")\n", 3, "computed"),
    "wide exec": (DECLARATIONS + "\uff45\uff58\uff45\uff43(\"revision = 'c'\")\n", 3, "computed"),
    "utf-7": ("# coding: utf-7\n" + DECLARATIONS + 'print(revision :+AD0- "c")\n', 4, "computed"),
    "globals": (DECLARATIONS + 'globals()["revision"] = "c"\n', 3, "computed"),
    "globals in a function that is called": (
        DECLARATIONS + 'def f():\n    globals()["revision"] = "c"\n\nf()\n',
        4,
        "computed",
    ),
    "globals in a function that another one calls": (
        DECLARATIONS
        + 'def f():\n    globals()["revision"] = "c"\n\ndef g():\n    f()\n\nx = [g()]\n',
        4,
        "computed",
    ),
    "globals in a function that is decorated": (
        DECLARATIONS + '@(lambda f: f())\ndef f():\n    globals()["revision"] = "c"\n',
        5,
        "computed",
    ),
    "globals in a function that Python calls": (
        DECLARATIONS + 'def __getattr__(name):\n    globals()["revision"] = "c"\n',
        4,
        "computed",
    ),
    "globals in the default of an argument": (
        DECLARATIONS + 'def f(x=globals().update(revision="c")):\n    pass\n',
        3,
        "computed",
    ),
    "globals in a class": (
        DECLARATIONS + 'class C:\n    globals()["revision"] = "c"\n',
        4,
        "computed",
    ),
    "modules": (DECLARATIONS + 'import sys\nsys.modules[__name__].revision = "c"\n', 4, ""),
    "changed list": ('revision = "b"\ndown_revision = ["a"]\ndown_revision.append("c")\n', 3, ""),
    "changed alias": ('x = ["a"]\nrevision = "b"\ndown_revision = x\nx += ["c"]\n', 4, ""),
    "deleted": (DECLARATIONS + "del revision\n", 3, "computed"),
    "added to": (DECLARATIONS + 'revision += "c"\n', 3, "computed"),
    "a loop": (DECLARATIONS + 'for revision in "ab":\n    pass\n', 3, "computed"),
    "a with": (DECLARATIONS + "with x as depends_on:\n    pass\n", 3, "computed"),
    "an except": (DECLARATIONS + "try:\n    pass\nexcept E as revision:\n    pass\n", 3, ""),
    "a match": (DECLARATIONS + "match x:\n    case [*revision]:\n        pass\n", 3, "computed"),
    "the rest of a match": (
        DECLARATIONS + "match x:\n    case {**revision}:\n        pass\n",
        3,
        "computed",
    ),
    "a function": (DECLARATIONS + "def revision():\n    pass\n", 3, "computed"),
    "a set": ('revision = "b"\ndown_revision = {"a", "c"}\n', 2, "computed"),
    "a number": ("down_revision = None\nrevision = 12\n", 2, "refused"),
    "bytes": ('revision = b"b"\ndown_revision = None\n', 1, "refused"),
    "None": ("revision = None\ndown_revision = None\n", 1, "refused"),
    "nested parents": ('revision = "b"\ndown_revision = ("a", None)\n', 2, "refused"),
    "at sign": ('revision = "b@2"\ndown_revision = None\n', 1, "refused"),
    "dash": ('revision = "b-2"\ndown_revision = None\n', 1, "refused"),
    "no revision": ("def helper():\n    pass\n", 1, "no-revision"),
    "only annotated": ("revision: str\ndown_revision: str\n", 1, "no-revision"),
    "no parent": ('revision = "a"\n', 1, "no-revision"),
    "nothing": ("", 1, "no-revision"),
    "no Python": (DECLARATIONS + "def upgrade(:\n", 3, "not-python"),
    "a null": (DECLARATIONS + "\0", 1, "not-python"),
    "no codec": ("# coding: klingon\n" + DECLARATIONS, 1, "not-python"),
}


def executed(source: bytes) -> Declared:
    """What Alembic would take from the module (``alembic.script.Script``)."""
    module: dict[str, object] = {}
    exec(compile(source, "revision.py", "exec"), module)

    def texts(name: str) -> tuple[str, ...]:
        value = module.get(name)
        if value is None:
            return ()
        assert isinstance(value, str | tuple | list)
        return (value,) if isinstance(value, str) else tuple(value)

    lines = str(module.get("__doc__") or "").strip().splitlines()
    return Declared(
        str(module["revision"]),
        texts("down_revision"),
        texts("depends_on"),
        texts("branch_labels"),
        lines[0] if lines else "",
    )


def parts(declared: Declared | Finding) -> dict[str, object]:
    return {name: getattr(declared, name) for name in declared.__slots__}


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.filterwarnings("ignore:invalid escape")
def test_the_text_says_what_executing_it_gives(name: str) -> None:
    source = (READABLE[name] + UPGRADE).encode()
    assert parts(read_revision(source, "x.py")) == parts(executed(source))


@pytest.mark.parametrize(
    "source",
    [
        codecs.BOM_UTF8 + DECLARATIONS.encode(),
        '# -*- coding: latin-1 -*-\n"""Größe."""\n'.encode("latin-1") + DECLARATIONS.encode(),
        '#!/usr/bin/python\n# coding=cp1252\n"""„Größe“."""\n'.encode("cp1252")
        + DECLARATIONS.encode(),
        '# -*- coding: utf-8 -*-\n"""增加列."""\nrevision = "版本"\ndown_revision = None'.encode(),
    ],
)
def test_coding_cookies_and_byte_order_marks_are_honoured(source: bytes) -> None:
    assert parts(read_revision(source, "x.py")) == parts(executed(source))


@pytest.mark.parametrize("name", UNTELLABLE)
def test_what_only_execution_could_tell_is_found_with_its_line(name: str) -> None:
    text, line, code = UNTELLABLE[name]
    found = read_revision(text.encode(), "versions/x.py")
    assert isinstance(found, Finding)
    assert (found.line, found.code) == (line, code or "computed")
    assert str(found) == f"versions/x.py:{line}: {found.message}"
    is_told = found.code != "computed"
    assert found.severity == (ERROR if is_told else WARNING)
    assert is_told != found.message.startswith("only executing it could tell what it declares: ")


def test_text_that_is_not_utf_8_is_a_finding() -> None:
    found = read_revision(b'x = "\xff"\n' + DECLARATIONS.encode(), "x.py")
    assert isinstance(found, Finding)
    assert found.code == "not-python"


def test_text_that_nests_without_end_is_a_finding() -> None:
    found = read_revision(b"revision = " + b"(" * 5000 + b")" * 5000, "x.py")
    assert isinstance(found, Finding)
    assert found.code == "not-python"


def test_every_way_to_change_a_name_unseen_is_known() -> None:
    assert {"exec", "eval", "globals", "locals", "vars", "setattr", "delattr"} == BY_NAME
    assert {"exec", "eval", "modules", "__dict__"} == BY_ATTRIBUTE


@pytest.mark.parametrize(
    "statement",
    [
        "def revision(): pass",
        "async def revision(): pass",
        "class revision: pass",
        "if x:\n    def revision(): pass",
        "if x:\n    async def revision(): pass",
        "if x:\n    class revision: pass",
        "if x:\n    import revision",
        "import revision.first",
        "match x:\n    case revision: pass",
        "match x:\n    case [1, *revision]: pass",
        "match x:\n    case 1 | 2 as revision: pass",
    ],
)
def test_a_name_that_any_statement_binds_has_no_value(statement: str) -> None:
    found = read_revision((f"{DECLARATIONS}{statement}\n").encode(), "x.py")
    assert isinstance(found, Finding)
    assert found.code == "computed"


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_what_may_change_a_name_by_its_text_is_not_trusted(name: str) -> None:
    for call in (f"{name}(x)\n", f"from builtins import {name} as f\nf(x)\n"):
        found = read_revision((DECLARATIONS + call).encode(), "x.py")
        assert isinstance(found, Finding)
        assert (found.code, found.line) == ("computed", 3)
        assert name in found.message


@pytest.mark.parametrize("name", sorted(BY_ATTRIBUTE))
def test_what_may_change_a_module_from_outside_is_not_trusted(name: str) -> None:
    found = read_revision((DECLARATIONS + f"print(x.{name})\n").encode(), "x.py")
    assert isinstance(found, Finding)
    assert (found.code, found.line) == ("computed", 3)


@pytest.mark.parametrize("name", ["execute", "evaluate", "setattrs", "local", "my_vars"])
def test_a_name_that_only_resembles_those_is_trusted(name: str) -> None:
    source = f"def upgrade():\n    {name}(op.{name})\n"
    assert isinstance(read_revision((DECLARATIONS + source).encode(), "x.py"), Declared)


def test_a_text_that_is_joined_of_thousands_is_read() -> None:
    joined = " + ".join(['"a"'] * 2_000)
    source = f'sql = {joined}\nrevision = "r" + {joined}\ndown_revision = None\n'
    found = read_revision(source.encode(), "r.py")
    assert isinstance(found, Declared)
    assert found.revision == "r" + "a" * 2_000
