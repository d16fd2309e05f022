"""Whatever is written for a URL or an argument, at whatever door: two lines, and no password."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from alembic.config import main as alembic_main
from hypothesis import given, note, settings
from hypothesis import strategies as st

from work_data_hub.cli.command import main as wdh_main
from work_data_hub.cli.verb_table import VERBS
from work_data_hub.config import get_settings
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
PASSWORDS = ("hunter2s", "hu:nt@er2/secret", "hünter2 secret", "%41hunter2s")
TOLD = ("hunter2", "nter2 secret", "nt@er2", "nt%40er2")
SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "sqlite", "mysql", "", "postgresql+")
# Nothing listens there; what is on this machine is answered at once.
HOSTS = ("127.0.0.1:1", "localhost:1", "[::1]:1", "127.0.0.1:port", "", "127.0.0.1:99999", "[::1")
NAMES = ("/hub", "", "/", "/a%20b", "/%ff", "/hub?", "/{folder}/x.db", "/:memory:", "/\ud800")
KEYS = ("password", "PASSWORD", "sslpassword", "options", "conninfo", "token", "host", "x", "")


@st.composite
def urls(draw: st.DrawFn) -> str:
    password = draw(st.sampled_from(PASSWORDS))
    written = draw(st.sampled_from([password, quote(password, safe="")]))
    user = draw(st.sampled_from([f"hub:{written}@", f":{written}@", f"a%20b:{written}@", ""]))
    url = f"{draw(st.sampled_from(SCHEMES))}://{user}{draw(st.sampled_from(HOSTS))}"
    url += draw(st.sampled_from(NAMES))
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=2)):
        value = {"options": f"-c password={written}", "conninfo": f"password={written}"}
        given = "/no" if key in {"host", "x", ""} else value.get(key, written)
        url += f"{'&' if '?' in url else '?'}{key}={given}"
    return draw(st.sampled_from([url, url, f" {url}", url.replace("://", ":/", 1), f"'{url}'"]))


# What would change files, or wait for somebody, is not drawn.
WDH_VERBS = sorted(VERBS.keys() - {"new", "init", "rebase", "reset", "merge", "edit"})
OPTIONS = ("--json", "--quiet", "--what", "--", "-x", "--sql", "--last", "head", "-1", "--config")


@st.composite
def arguments(draw: st.DrawFn, verbs: tuple[str, ...], option: str) -> list[str]:
    """A verb, a URL and others, in any order; the URL anywhere, or behind its option."""
    url = draw(urls())
    given = [draw(st.sampled_from(verbs)), *draw(st.lists(st.sampled_from(OPTIONS), max_size=2))]
    where = [[url], [option, url], [f"{option}={url}"], [f"{option[:-1]}={url}"]]
    place = draw(st.integers(0, len(given)))
    return [*given[:place], *draw(st.sampled_from(where)), *given[place:]]


@st.composite
def of_alembic(draw: st.DrawFn) -> list[str]:
    """Where Alembic hands what is written to env.py: what it cannot parse it repeats itself."""
    verb = draw(st.sampled_from([["upgrade"], ["downgrade"], ["stamp"]]))
    name = draw(st.sampled_from(["database_url=", "databse_url=", ""]))
    by_option = ["-x", f"{name}{draw(urls())}"]
    revision = draw(st.sampled_from(["head", "-1", draw(urls())]))
    behind = ["--", revision] if revision.startswith("-") else [revision]
    return [*draw(st.sampled_from([[], by_option])), *verb, *behind]


def _db_setup(argv: list[str]) -> int:
    spec = importlib.util.spec_from_file_location("db_setup", REPOSITORY / "scripts/db_setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return int(module.main(argv))


def _runner(argv: list[str]) -> int:
    for text in argv:
        try:
            migration_runner.status(text)
        except WorkDataHubError as error:
            said = [str(error), error.hint, repr(error), repr(error.args)]
            print(*said, *_causes(error))
    return 0


def _causes(error: BaseException) -> list[str]:
    """What a traceback of ours would show beside it."""
    cause = error.__cause__
    return [] if cause is None else [str(cause), *_causes(cause)]


def _wdh(argv: list[str]) -> int:
    return wdh_main(["db", *argv])


def _alembic(argv: list[str]) -> int:
    alembic_main(["-c", str(REPOSITORY / "alembic.ini"), *argv])
    return 0


def _by_environment(argv: list[str]) -> int:
    # What no process can be given: half of a pair that is no letter.
    os.environ["DATABASE_URL"] = argv[0].replace("\ud800", "\udc80")
    get_settings.cache_clear()
    try:
        return wdh_main(["db", "status", *argv[1:]])
    finally:
        del os.environ["DATABASE_URL"]
        get_settings.cache_clear()


DOORS: dict[str, tuple[Callable[[list[str]], int], st.SearchStrategy[list[str]]]] = {
    "wdh": (_wdh, arguments(tuple(WDH_VERBS), "--database-url")),
    "alembic": (_alembic, of_alembic()),
    "runner": (_runner, urls().map(lambda url: [url])),
    "db_setup": (_db_setup, arguments(("--seed", "--json"), "--database-url")),
    "environment": (_by_environment, urls().map(lambda url: [url])),
}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where nothing matters, and nothing that waits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WDH_CONNECT_WAIT", "0")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/default.db")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    get_settings.cache_clear()
    return tmp_path


def outcome(door: Callable[[list[str]], int], argv: list[str]) -> tuple[int, str]:
    """Call a door as its process would, and return its exit code and all that it said."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            code = door(argv)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                err.write(end.code)
    return code, out.getvalue() + err.getvalue()


@pytest.mark.parametrize("name", DOORS)
@settings(max_examples=10 * settings().max_examples)
@given(data=st.data())
def test_no_door_breaks_or_tells_a_password(nowhere: Path, name: str, data: st.DataObject) -> None:
    door, strategy = DOORS[name]
    argv = [one.replace("{folder}", str(nowhere)) for one in data.draw(strategy)]
    code, said = outcome(door, argv)  # nothing but an exit comes out of it
    note(f"{code}: {said}")
    assert code % 256 in {0, 1, 2, 3, 4, 5, 6, 7, 255}  # the last is Alembic's own
    assert "Traceback" not in said
    for secret in TOLD:
        assert secret not in said
