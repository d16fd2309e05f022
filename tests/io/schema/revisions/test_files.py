"""What is read as text is what Alembic computes by executing; and the cache never lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from work_data_hub.domain.finding import as_data
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge.revision_map import revision_map
from work_data_hub.io.schema.revisions import cache as revision_cache
from work_data_hub.io.schema.revisions.cache import RevisionCache, is_settled, stamp
from work_data_hub.io.schema.revisions.files import read_history

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.script.revision import RevisionMap

# A history: for each file its name, and what follows `revision = ` of the ids.
HISTORIES: dict[str, dict[str, tuple[Any, ...]]] = {
    "empty": {},
    "linear": {f"{n}.py": (f"r{n}", f"r{n - 1}" if n else None) for n in range(12)},
    "against the names": {f"{n}.py": (f"r{n}", f"r{n + 1}" if n < 6 else None) for n in range(7)},
    "several bases": {"a.py": ("a", None), "b.py": ("b", ()), "c.py": ("c", ["b"])},
    "several heads": {"a.py": ("a", None), "b.py": ("b", "a"), "c.py": ("c", "a")},
    "merge": {"1.py": ("a", None), "2.py": ("b", None), "3.py": ("m", ("a", "b"))},
    "diamonds": {
        "a.py": ("a", None),
        "b.py": ("b", "a"),
        "c.py": ("c", ["a"]),
        "m.py": ("m", ("c", "b")),
        "d.py": ("d", "m"),
        "e.py": ("e", "m"),
        "n.py": ("n", ("d", "e")),
        "o.py": ("o", "n"),
    },
    "branch labels": {
        "a.py": ("a", None, None, ("first", "one")),
        "b.py": ("b", "a"),
        "c.py": ("c", None, None, "second"),
        "d.py": ("d", "c"),
    },
    "depends_on": {
        "a.py": ("a", None),
        "b.py": ("b", "a"),
        "x.py": ("x", None, ["a"]),
        "y.py": ("y", "x", ("b",)),
    },
    "depends_on across branches": {
        "a.py": ("a", None, None, "left"),
        "b.py": ("b", "a"),
        "c.py": ("c", "b", "y"),
        "x.py": ("x", None, "left", "right"),
        "y.py": ("y", "x", "b"),
        "z.py": ("z", "y"),
    },
    "ids of any shape": {
        "1.py": ("1", None),
        "ü.py": ("版本 二", "1"),
        "l.py": ("l" * 300, "版本 二"),
        "dots.py": ("a.b/c_d", "l" * 300),
        "20251113_0930_x.py": ("20251113_0930", "a.b/c_d"),
    },
    "files that are none": {
        "a.py": ("a", None),
        "__init__.py": ("no", None),
        ".#b.py": ("no", None),
        "b.txt": ("no", None),
        "c.py~": ("no", None),
        ".d.py": ("d", "a"),
        "sub/e.py": ("no", None),
        "__pycache__/f.py": ("no", None),
    },
    "nested": {
        "b/2.py": ("b", "a"),
        "a/x/1.py": ("a", None),
        "3.py": ("c", "b"),
        "a/y/4.py": ("d", "b"),
        "a/__pycache__/5.py": ("no", None),
    },
    "several locations": {
        "1.py": ("a", None),
        "more/2.py": ("b", "a"),
        "more/3.py": ("c", "a"),
    },
}
OPTIONS = {
    "nested": "recursive_version_locations = true\n",
    "several locations": (
        "path_separator = newline\nversion_locations = \n    %(here)s/m/versions/more\n"
        "    %(here)s/m/versions\n    %(here)s/gone\n"
    ),
}


def write_file(path: Path, revision: str, *declared: Any) -> None:
    parent, depends_on, labels = (*declared, None, None, None)[:3]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'"""Schritt {revision} ändern."""\nrevision: str = {revision!r}\n'
        f"down_revision = {parent!r}\ndepends_on = {depends_on!r}\nbranch_labels = {labels!r}\n",
        encoding="utf-8",
    )


def write_project(folder: Path, name: str) -> Path:
    (folder / "m" / "versions").mkdir(parents=True)
    for file, declared in HISTORIES[name].items():
        write_file(folder / "m" / "versions" / file, *declared)
    ini = folder / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = %(here)s/m\n{OPTIONS.get(name, '')}")
    return ini


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "work-data-hub"


@pytest.fixture
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust files at once: the tests that change files in between make their own stamps."""
    monkeypatch.setattr(revision_cache, "_TICK_NS", -(10**18))


def plans(graph: RevisionMap) -> dict[str, list[str]]:
    """Order and plans: from base, from each revision to the heads, and back."""

    def ids(upper: Any, lower: Any, **options: Any) -> list[str]:
        try:
            return [each.revision for each in graph.iterate_revisions(upper, lower, **options)]
        except RevisionError as refusal:  # what Alembic refuses must be refused alike
            return [repr(refusal)]

    everything = ids("heads", "base", inclusive=True, assert_relative_length=False)
    down: dict[str, Any] = {"select_for_downgrade": True}
    return {
        "walk": everything,
        "up": ids("heads", "base", implicit_base=True),
        "down": ids("heads", "base", **down),
        **{f"up from {each}": ids("heads", each, implicit_base=True) for each in everything},
        **{f"down to {each}": ids("heads", each, **down) for each in everything},
    }


@pytest.mark.parametrize("name", HISTORIES)
def test_heads_bases_order_and_plans_are_those_of_alembic(tmp_path: Path, name: str) -> None:
    ini = write_project(tmp_path, name)
    scripts = ScriptDirectory.from_config(Config(str(ini)))
    history = read_history(str(ini))
    assert not history.findings
    assert list(history.heads) == scripts.get_heads()
    # What `get_heads(consider_depends_on=True)` gives since Alembic 1.18.5.
    assert list(history.effective_heads) == list(scripts.revision_map._real_heads)
    bases = [name for name, each in history.revisions.items() if not each.down_revisions]
    assert bases == scripts.get_bases()
    graph = revision_map(history)
    assert graph.heads == history.heads
    assert plans(graph) == plans(scripts.revision_map)
    for script in scripts.walk_revisions():
        assert history.paths[script.revision] == script.path
        assert history.revisions[script.revision].description == script.doc


@pytest.mark.parametrize("name", HISTORIES)
def test_what_comes_from_the_cache_is_what_was_read(
    tmp_path: Path, name: str, no_ticks: None, cache_folder: Path
) -> None:
    ini = str(write_project(tmp_path, name))
    cold, warm = read_history(ini), read_history(ini)
    assert list(cache_folder.iterdir())
    assert [(f.path, f.digest) for f in warm.files] == [(f.path, f.digest) for f in cold.files]
    assert plans(revision_map(warm)) == plans(revision_map(cold))


def test_the_digest_is_that_of_the_journal(tmp_path: Path) -> None:
    ini = write_project(tmp_path, "merge")
    for file in read_history(str(ini)).files:
        with open(file.path, "rb") as source:  # noqa: PTH123
            assert file.digest == digest(source.read())


def test_an_edit_shows_though_size_and_modification_time_stay(
    tmp_path: Path, no_ticks: None
) -> None:
    ini = write_project(tmp_path, "several heads")
    file = tmp_path / "m" / "versions" / "c.py"
    before = file.stat()
    assert read_history(str(ini)).heads == ("b", "c")
    other = tmp_path / "other"
    other.write_text(file.read_text(encoding="utf-8").replace("'c'", "'d'"), encoding="utf-8")
    other.replace(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert read_history(str(ini)).heads == ("b", "d")


def test_a_file_that_was_just_changed_is_not_remembered(tmp_path: Path, cache_folder: Path) -> None:
    ini = write_project(tmp_path, "merge")
    read_history(str(ini))
    assert not cache_folder.exists()
    seen = stamp(ini.stat())
    newest = max(seen[1], seen[2])
    assert not is_settled(seen, newest + 1_000_000_000)
    assert is_settled(seen, newest + 3_000_000_000)


@pytest.mark.parametrize("damage", [b"", b"wdh", b"wdh 9999 00000000\n", b"\0" * 99])
def test_a_damaged_cache_is_no_cache(
    tmp_path: Path, no_ticks: None, cache_folder: Path, damage: bytes
) -> None:
    ini = str(write_project(tmp_path, "merge"))
    read_history(ini)
    (cache,) = cache_folder.iterdir()
    whole = cache.read_bytes()
    for text in (damage, whole[:-1], whole[:30] + b"\xff" + whole[31:]):
        cache.write_bytes(text)
        assert read_history(ini).heads == ("m",)
    assert cache.read_bytes()[:10] == whole[:10]


def test_a_cache_that_others_may_write_is_no_cache(
    tmp_path: Path, no_ticks: None, cache_folder: Path
) -> None:
    ini = write_project(tmp_path, "merge")
    read_history(str(ini))
    (file,) = cache_folder.iterdir()
    key = f"{ini}\n\nalembic"
    name = str(tmp_path / "m" / "versions" / "1.py")
    seen = stamp((tmp_path / "m" / "versions" / "1.py").stat())
    assert RevisionCache(key).get(name, seen) is not None
    file.chmod(0o666)
    assert RevisionCache(key).get(name, seen) is None


def test_a_cache_folder_that_cannot_be_made_is_no_error(
    tmp_path: Path, no_ticks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert read_history(str(write_project(tmp_path, "merge"))).heads == ("m",)


def test_a_changed_configuration_shows(tmp_path: Path, no_ticks: None) -> None:
    ini = write_project(tmp_path, "several locations")
    assert len(read_history(str(ini)).files) == 3
    ini.write_text("[alembic]\nscript_location = %(here)s/m\n")
    assert len(read_history(str(ini)).files) == 1


@pytest.mark.parametrize(
    "options",
    [
        "version_locations = %(here)s/m/versions, %(here)s/m/versions/more\n",
        "path_separator = os\nversion_locations = %(here)s/m/versions:%(here)s/m/versions/more\n",
        "version_path_separator = ;\nversion_locations = %(here)s/m/versions;m/versions/more\n",
        "path_separator = space\nversion_locations = package.inner:versions:more m/versions\n",
        "recursive_version_locations = True\n",
        "prepend_sys_path = .\n",
    ],
)
@pytest.mark.filterwarnings("ignore:.*separator:DeprecationWarning")
def test_every_way_to_name_the_folders_is_alembics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    ini = write_project(tmp_path, "several locations")
    (tmp_path / "package" / "inner").mkdir(parents=True)
    for folder in ("package", "package/inner"):
        (tmp_path / folder / "__init__.py").touch()
    shutil.copytree(tmp_path / "m" / "versions", tmp_path / "package" / "inner" / "versions")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    # Alembic imports the package: the test before this one did.
    for name in ("package", "package.inner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    ini.write_text(f"[alembic]\nscript_location = %(here)s/m\n{options}")
    history = read_history(str(ini))
    assert "package" not in sys.modules
    scripts = ScriptDirectory.from_config(Config(str(ini)))
    assert {file.path for file in history.files} == {
        script.path for script in scripts.walk_revisions()
    }


@pytest.mark.parametrize("name", ["linear", "nested"])
def test_links_are_followed_as_alembic_does(tmp_path: Path, name: str) -> None:
    ini = write_project(tmp_path, name)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    write_file(elsewhere / "in_a_folder.py", "in_a_folder", None)
    write_file(tmp_path / "linked.py", "linked", None)
    versions = tmp_path / "m" / "versions"
    (versions / "folder").symlink_to(elsewhere, target_is_directory=True)
    (versions / "linked.py").symlink_to(tmp_path / "linked.py")
    found = set(read_history(str(ini)).paths)
    scripts = ScriptDirectory.from_config(Config(str(ini)))
    assert found == {each.revision for each in scripts.walk_revisions()}
    assert "linked" in found
    assert "in_a_folder" not in found


def test_pyproject_says_what_the_ini_file_does_not(tmp_path: Path) -> None:
    write_project(tmp_path, "nested")
    toml = tmp_path / "pyproject.toml"
    toml.write_text(
        '[tool.alembic]\nscript_location = "%(here)s/m"\nrecursive_version_locations = true\n'
    )
    history = read_history(str(tmp_path / "none.ini"), str(toml))
    scripts = ScriptDirectory.from_config(Config(toml_file=str(toml)))
    assert list(history.heads) == scripts.get_heads()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[alembic]\n",
        "nonsense",
        "[alembic]\nscript_location = %(gone)s\n",
        "[alembic]\nscript_location = gone\n",
        "[alembic]\nscript_location = gone:versions\n",
        "[alembic]\nscript_location = .\nversion_locations = a\npath_separator = x\n",
    ],
)
def test_a_configuration_that_names_no_folder_is_refused(tmp_path: Path, text: str) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(text)
    with pytest.raises(UsageError):
        read_history(str(ini))


def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    ini = write_project(tmp_path, "linear")
    versions = tmp_path / "m" / "versions"
    (versions / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (versions / "call.py").write_text("revision = f()\ndown_revision = None\n")
    history = read_history(str(ini))
    found = {(each.path, each.code, each.line) for each in history.findings}
    assert found == {
        (str(tmp_path / "nowhere.py"), "unreadable", 1),
        (str(versions / "call.py"), "computed", 1),
    }


def test_a_finding_that_comes_from_the_cache_is_what_was_found(
    tmp_path: Path, no_ticks: None, cache_folder: Path
) -> None:
    ini = write_project(tmp_path, "linear")
    (tmp_path / "m" / "versions" / "call.py").write_text("revision = f()\ndown_revision = None\n")
    (cold,), (warm,) = (read_history(str(ini)).findings for _ in range(2))
    assert list(cache_folder.iterdir())
    assert (as_data(warm), str(warm)) == (as_data(cold), str(cold))


def test_bytecode_without_source_is_a_finding_where_alembic_would_load_it(tmp_path: Path) -> None:
    ini = write_project(tmp_path, "linear")
    (tmp_path / "m" / "versions" / "old.pyc").write_bytes(b"")
    assert not read_history(str(ini)).findings
    ini.write_text(ini.read_text() + "sourceless = true\n")
    assert [each.code for each in read_history(str(ini)).findings] == ["unreadable"]


def test_neither_alembic_nor_sqlalchemy_nor_pydantic_is_imported_nor_ast_when_cached(
    tmp_path: Path, no_ticks: None
) -> None:
    ini = str(write_project(tmp_path, "diamonds"))
    read_history(ini)
    program = (
        "import sys\nfrom work_data_hub.io.schema.revisions.files import read_history\n"
        "assert read_history(sys.argv[1]).heads\nprint(*sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-S", "-c", program, ini],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"alembic", "sqlalchemy", "pydantic", "ast", "_ast", "configparser", "typing", "re"}
    assert not heavy.intersection(process.stdout.split())
