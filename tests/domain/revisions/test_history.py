from __future__ import annotations

from work_data_hub.domain.finding import Finding
from work_data_hub.domain.revisions.history import History
from work_data_hub.domain.revisions.revision_file import Declared, RevisionFile


def history(*declared: Declared) -> History:
    return History(
        [RevisionFile(f"{n}_{each.revision}.py", "", each) for n, each in enumerate(declared)]
    )


def codes(history: History) -> list[str]:
    return [finding.code for finding in history.findings]


def test_two_files_with_one_id_are_both_named() -> None:
    found = history(Declared("a"), Declared("a"))
    assert codes(found) == ["duplicate-id"]
    assert str(found.findings[0]).startswith("1_a.py:1: ")
    assert "0_a.py" in found.findings[0].message


def test_a_parent_that_does_not_exist_is_found() -> None:
    found = history(Declared("a"), Declared("b", ("a", "gone")))
    assert codes(found) == ["unknown-parent"]
    assert "'b' builds on 'gone'" in found.findings[0].message


def test_a_branch_label_is_no_parent_but_may_be_depended_on() -> None:
    labelled = Declared("a", branch_labels=("x",))
    assert codes(history(labelled, Declared("b", ("x",)))) == ["unknown-parent"]
    found = history(labelled, Declared("b", depends_on=("x",)))
    assert not found.findings
    assert found.heads == ("a", "b")
    assert found.effective_heads == ("b",)


def test_a_dependency_that_does_not_exist_is_found() -> None:
    assert codes(history(Declared("a", depends_on=("gone",)))) == ["unknown-dependency"]


def test_a_label_that_is_taken_is_found() -> None:
    assert codes(history(Declared("a"), Declared("b", ("a",), (), ("a",)))) == ["label-taken"]


def test_a_cycle_is_named_in_order() -> None:
    found = history(
        Declared("base"), Declared("a", ("base", "c")), Declared("b", ("a",)), Declared("c", ("b",))
    )
    assert codes(found) == ["cycle"]
    assert found.findings[0].message.endswith("a -> c -> b -> a")


def test_a_revision_that_needs_itself_is_a_cycle() -> None:
    assert codes(history(Declared("a", ("a",)))) == ["cycle"]
    assert codes(history(Declared("a", depends_on=("a",)))) == ["cycle"]


def test_a_long_history_has_no_cycle() -> None:
    chain = [Declared(f"r{n}", (f"r{n - 1}",) if n else ()) for n in range(5000)]
    assert not history(*reversed(chain)).findings


def test_a_file_that_cannot_be_read_is_a_finding_of_the_history() -> None:
    found = Finding("computed", "a call", "x.py", 3)
    assert History([RevisionFile("x.py", "", found)]).findings == [found]


def test_what_no_file_declares_is_unknown() -> None:
    found = history(Declared("a"), Declared("b", ("a",)))
    assert found.unknown(["b", "newer"]) == ("newer",)
    assert history().unknown(["newer"]) == ("newer",)
