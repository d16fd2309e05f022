"""The light settings say what the full ones say, or nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from work_data_hub.config import settings as settings_module
from work_data_hub.config.current_settings import current_settings, forget, plain
from work_data_hub.config.plain_settings import PlainSettings, read_plain_settings
from work_data_hub.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: list[dict[str, str]] = [
    {},
    {"ENVIRONMENT": "staging"},
    {"environment": "prod", "Database_Url": "postgresql://u:p@h/x"},
    {"DATABASE_URL": "", "WDH_DATABASE__URI": "sqlite:///x.db"},
    {"ENVIRONMENT": "", "WDH_EDITED_REVISIONS": "warn"},
    {"WDH_TEST_DATABASE_URI": "postgresql://u:p@h/x"},
    *({"WDH_DRIFT": choice} for choice in ("auto", "stop", "warn", "off")),
    {"WDH_CONNECT_WAIT": "0", "WDH_LOCK_TIMEOUT": "2.5", "WDH_RUN_LOCK_WAIT": "100"},
    {"ENVIRONMENTAL": "x", "DATABASE_URLS": "y"},
    {"WDH_DATABASE__URI": "a", "DATABASE_URL": "b"},
    {"WDH_LOCK_DEADLINE": "7", "WDH_STATEMENT_TIMEOUT": "1.25", "WDH_CONNECT_WAIT": "31"},
]
NOT_PLAIN: list[dict[str, str]] = [
    {"ENVIRONMENT": "Prod"},
    {"ENVIRONMENT": " prod"},
    {"WDH_DATABASE": '{"uri": "sqlite:///x.db"}'},
    {"WDH_DATABASE": "nonsense"},
    {"WDH_DATABASE__URI__X": "sqlite:///x.db"},
    {"WDH_LOCK_TIMEOUT": "0"},
    {"WDH_LOCK_TIMEOUT": "-1"},
    {"WDH_CONNECT_WAIT": "soon"},
    {"WDH_CONNECT_WAIT": "nan"},
    {"WDH_EDITED_REVISIONS": "never"},
    {"WDH_DRIFT": "no"},
    {"WDH_ENV_FILE": "missing.env"},
    {"WDH_ENVIRONMENT": "prod"},
]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, so that nobody's .env is read."""
    monkeypatch.setattr(settings_module, "project_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    settings_module.get_settings.cache_clear()
    return tmp_path


def full(root: Path) -> PlainSettings | None:
    settings_module.get_settings.cache_clear()
    try:
        found = settings_module.get_settings()
    except SettingsError:
        return None
    return plain(found)._replace(root=root)


@pytest.mark.parametrize("variables", PLAIN, ids=str)
def test_what_is_plain_is_read_as_pydantic_reads_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read_plain_settings(os.environ, root) == full(root) != None  # noqa: E711


@pytest.mark.parametrize("variables", NOT_PLAIN, ids=str)
def test_what_is_not_plain_is_left_to_pydantic(
    root: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read_plain_settings(os.environ, root) is None


@pytest.mark.parametrize(
    "named", [None, "ENVIRONMENT=dev\n", "environment=\nDATABASE_URL=sqlite:///n"]
)
@pytest.mark.parametrize(
    "dotenv",
    [
        "ENVIRONMENT=staging\nDATABASE_URL='sqlite:///a b.db' # why\n",
        "export WDH_DATABASE__URI=sqlite:///${HOME}.db\nOTHER\nX=1\n",
        "database_url=\n",
    ],
)
@pytest.mark.parametrize("inherited", [None, "sqlite:///environment.db", ""])
def test_files_are_read_in_the_same_order(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str | None,
    dotenv: str,
    inherited: str | None,
) -> None:
    (root / ".env").write_text(dotenv, encoding="utf-8")
    if named is not None:
        (root / "named.env").write_text(named, encoding="utf-8")
        monkeypatch.setenv("WDH_ENV_FILE", str(root / "named.env"))
    if inherited is not None:
        monkeypatch.setenv("DATABASE_URL", inherited)
    assert read_plain_settings(os.environ, root) == full(root) != None  # noqa: E711


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\n", b"WDH_DATABASE={}\n", b"ENVIRONMENT=test\n", b"DATABASE_URL\n"]
)
def test_a_file_that_is_not_plain_is_left_to_pydantic(root: Path, content: bytes) -> None:
    (root / ".env").write_bytes(content)
    assert read_plain_settings(os.environ, root) is None


def test_no_repr_shows_a_password(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/x")
    assert "hunter2" not in repr(read_plain_settings(os.environ, root))


def test_every_setting_is_known_here() -> None:
    from work_data_hub.config import plain_settings

    aliases = {"environment", "database_url", "database"}
    fields = {f"wdh_{name}" for name in settings_module.Settings.model_fields.keys() - aliases}
    assert fields < plain_settings._KNOWN


def test_a_run_has_what_the_program_has_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "3")
    assert current_settings().lock_timeout == 3
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "4")
    assert current_settings().lock_timeout == 4
    assert settings_module.get_settings().lock_timeout == 4
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "5")
    assert current_settings().lock_timeout == 4
    forget()
    assert current_settings().lock_timeout == 5


def test_what_is_not_plain_has_the_fault_of_the_full_settings(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_DATABASE", '{"uri": "sqlite:///x.db"}')
    assert current_settings().database_uri == "sqlite:///x.db"
    settings_module.get_settings.cache_clear()
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "soon")
    with pytest.raises(SettingsError, match="WDH_LOCK_TIMEOUT"):
        current_settings()
