from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from work_data_hub.domain.finding import ERROR, WARNING, Finding
from work_data_hub.domain.revisions.head_file import HeadFile, read_heads, write_heads
from work_data_hub.domain.revisions.history import History
from work_data_hub.domain.revisions.revision_file import Declared, RevisionFile
from work_data_hub.domain.revisions.verification import (
    ahead,
    misnamed,
    several_heads,
    verify_applied,
    verify_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(NamedTuple):
    revision: str
    direction: str = "upgrade"
    outcome: str = "done"
    checksum: str | None = "1:a"
    digest: str | None = "old"


def history(**files: Declared | Finding) -> History:
    return History([RevisionFile(f"/v/{name}.py", "new", each) for name, each in files.items()])


def codes(
    found: History, head_file: HeadFile | None = None, *, by_the_rule: bool = False
) -> list[str]:
    said = None if head_file is None else ("/heads.txt", head_file)
    return [
        each.code
        for each in verify_files(found, said, by_the_rule=by_the_rule, has_main_branch=lambda: True)
    ]


def compared_with(checksums: dict[str, str]) -> Callable[[str, str], str | None]:
    """Files of these checksums."""
    return lambda path, recorded: None if checksums[path] == recorded else checksums[path]


def applied(found: History, versions: list[str], *rows: Row) -> list[str]:
    known = compared_with(dict.fromkeys(found.paths.values(), "1:a"))
    findings = verify_applied(found, versions, rows, known, severity=ERROR, is_own=False)
    return [each.code for each in findings]


def test_a_sound_history_has_no_findings() -> None:
    sound = history(
        **{
            "20260101_0000_a": Declared("20260101_0000"),
            "20260101_0001_b": Declared("20260101_0001", ("20260101_0000",)),
        }
    )
    assert codes(sound, HeadFile(("20260101_0001",), None), by_the_rule=True) == []


def test_names_are_held_to_the_rule_only_where_it_is_the_rule() -> None:
    before, ruled = Declared("abc"), Declared("20260101_0000", ("abc",))
    free = history(
        **{"abc": before, "20260101_0000_a": ruled, "x": Declared("x", (ruled.revision,))}
    )
    assert codes(free) == []
    (finding,) = verify_files(free, None, by_the_rule=True, has_main_branch=lambda: True)
    assert (finding.code, finding.path) == ("name", "/v/x.py")
    other = history(**{"20260101_0000_a": Declared("20260101_0001")})
    assert codes(other, by_the_rule=True) == ["name-and-id"]


def test_a_revision_that_is_older_than_its_parent_is_a_warning() -> None:
    found = history(
        **{
            "20260102_0000_a": Declared("20260102_0000"),
            "20260101_0000_b": Declared("20260101_0000", ("20260102_0000",)),
        }
    )
    (finding,) = verify_files(found, None, by_the_rule=True, has_main_branch=lambda: True)
    assert (finding.code, finding.severity) == ("time-order", "warning")


def test_several_heads_are_a_finding_unless_each_branch_has_a_name() -> None:
    fork = (Declared("b", ("a",)), Declared("c", ("a",)))
    assert codes(history(a=Declared("a"), b=fork[0], c=fork[1])) == ["several-heads"]
    named = history(a=Declared("a", branch_labels=("x",)), b=Declared("b", branch_labels=("y",)))
    assert codes(named) == []
    forked = history(a=Declared("a", branch_labels=("x",)), b=fork[0], c=fork[1])
    assert codes(forked) == ["several-heads"]


def test_an_id_that_the_version_column_cannot_hold_is_a_finding() -> None:
    assert codes(history(a=Declared("x" * 32))) == []
    assert codes(history(a=Declared("x" * 33))) == ["id-too-long"]


def test_what_cannot_be_told_is_a_warning_and_nothing_is_concluded_from_it() -> None:
    unread = Finding("computed", "a call", "/v/a.py", 3, WARNING)
    found = history(a=unread, b=Declared("b", ("a",)), c=Declared("c", (), ("a",)))
    (finding,) = verify_files(
        found, ("/heads.txt", HeadFile((), None)), by_the_rule=False, has_main_branch=lambda: True
    )
    assert (finding.code, finding.line, finding.severity) == ("computed", 3, "warning")


def test_a_head_file_that_disagrees_or_is_in_conflict_is_a_finding() -> None:
    found = history(a=Declared("a"))
    assert codes(found, HeadFile(("b",), None)) == ["head-file"]
    assert codes(found, HeadFile(("a",), 3)) == ["head-file-conflict"]


@pytest.mark.parametrize(
    ("said", "files", "message"),
    [
        ((), {"a": Declared("a")}, "it says none, the heads are a"),
        (("b", "c"), {"a": Declared("a")}, "it says b, c, the heads are a"),
        (("b",), {}, "it says b, the heads are none"),
    ],
)
def test_a_head_file_that_disagrees_is_told_apart_in_words(
    said: tuple[str, ...], files: dict[str, Declared], message: str
) -> None:
    (finding,) = verify_files(
        history(**files),
        ("/heads.txt", HeadFile(said, None)),
        by_the_rule=False,
        has_main_branch=lambda: True,
    )
    assert finding.message == message


def test_a_head_file_tells_its_heads_in_every_style_of_conflict() -> None:
    assert read_heads(write_heads(["b", "a"])).heads == ("a", "b")
    merge = "# x\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> feature\n"
    diff3 = "<<<<<<< HEAD\nb\n||||||| abc\na\n=======\nc\n>>>>>>> feature\n"
    for text, line in ((merge, 2), (diff3, 1)):
        assert (read_heads(text).heads, read_heads(text).conflict_line) == (("b", "c"), line)


def test_a_database_agrees_when_what_it_applied_is_unchanged() -> None:
    found = history(a=Declared("a"), b=Declared("b", ("a",)))
    assert applied(found, ["a"], Row("a")) == []
    assert applied(found, ["a"], Row("a", checksum="1:b")) == ["edited"]
    assert applied(found, [], Row("a", checksum="1:b"), Row("a", "downgrade")) == []
    assert applied(found, ["a"], Row("gone"), Row("a")) == ["vanished"]
    assert applied(found, ["a"], Row("gone"), Row("a"), Row("a", "stamp")) == []
    edited = (Row("a", checksum="1:b"), Row("a", "stamp"), Row("gone"))
    assert sorted(applied(found, ["a"], *edited)) == ["edited", "vanished"]
    assert applied(found, ["newer"]) == ["ahead"]


def test_a_file_without_a_checksum_is_known_by_its_text() -> None:
    found = history(a=Declared("a"))
    assert applied(found, ["a"], Row("a", checksum=None, digest="new")) == []
    edited, vanished = verify_applied(
        found,
        ["a"],
        [Row("gone", checksum=None), Row("a", checksum=None)],
        compared_with({}),
        severity=ERROR,
        is_own=False,
    )
    assert edited.message.endswith("the checksum sha256:new, the journal says sha256:old")
    assert vanished.message == "gone was applied (checksum sha256:old), and its file is gone"
    # So did versions record a file whose encoding they could not read.
    assert applied(found, ["a"], Row("a", checksum=None, digest=None)) == []


def test_an_accepted_text_is_accepted_and_an_accepted_absence_is_another_thing() -> None:
    found = history(a=Declared("a"))
    accepted = Row("a", "accept", checksum=None, digest="new")
    assert applied(found, ["a"], Row("a", checksum=None), accepted) == []
    absent = Row("gone", "accept", checksum=None, digest=None)
    assert applied(found, ["a"], Row("gone"), Row("a"), absent) == []


def test_what_a_database_says_against_the_files_is_said_in_full() -> None:
    found = history(a=Declared("a"), b=Declared("b", ("a",)))
    rows = (Row("gone"), Row("a"), Row("b"))
    newer, edited, vanished = verify_applied(
        found,
        ["b", "newer"],
        rows,
        compared_with({"/v/a.py": "1:a", "/v/b.py": "1:b"}),
        severity=WARNING,
        is_own=False,
    )
    assert (str(newer), newer.severity) == (str(ahead("newer")), ERROR)
    assert (edited.path, edited.severity) == ("/v/b.py", WARNING)
    assert edited.message == (
        "b was edited after it was applied: its file has the checksum 1:b, the journal says 1:a"
    )
    assert (vanished.path, vanished.severity) == (None, WARNING)
    assert vanished.message == "gone was applied (checksum 1:a), and its file is gone"
    for finding, revision in ((edited, "b"), (vanished, "gone")):
        assert f"wdh db upgrade --accept {revision};" in finding.hint


def test_several_heads_are_named_in_order_with_a_way_out() -> None:
    finding = several_heads(("b", "a"))
    assert (finding.message, finding.path) == ("there are several heads: a, b", None)
    assert "`wdh db rebase REVISION`" in finding.hint
    assert "`wdh db merge`" in finding.hint


def test_a_name_is_judged_by_the_rule_and_the_id() -> None:
    assert misnamed("20260101_0000", "/v/20260101_0000_a.py") is None
    for revision, name, code in (
        ("a", "a.py", "name"),
        ("20260101_0001", "20260101_0000_a.py", "name-and-id"),
    ):
        finding = misnamed(revision, f"/v/{name}")
        assert finding is not None
        assert (finding.code, finding.path) == (code, f"/v/{name}")
