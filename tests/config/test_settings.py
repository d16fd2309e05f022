from __future__ import annotations

import logging
from pathlib import Path

import pytest

from work_data_hub.config import (
    choose_database,
    get_database_connection_string,
    get_settings,
)
from work_data_hub.config import settings as settings_module
from work_data_hub.errors import SettingsError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, so that nobody's .env is read."""
    monkeypatch.setattr(settings_module, "project_root", lambda: tmp_path)
    return tmp_path


def test_the_default_is_a_file_beside_alembic_ini_whatever_the_working_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    target = choose_database(get_settings())
    assert target.url.database == str(project / "workdatahub_dev.db")
    assert target.source == "the default"


def test_the_root_of_a_checkout_is_where_alembic_ini_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert settings_module.project_root() == ROOT


def test_database_url_beats_wdh_database_uri_and_both_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a.db")
    monkeypatch.setenv("WDH_DATABASE__URI", "postgresql://u:hunter2@h/x")
    with caplog.at_level(logging.WARNING):
        assert get_database_connection_string() == "sqlite:///a.db"
    assert "DATABASE_URL (sqlite:///a.db)" in caplog.text
    assert "WDH_DATABASE__URI (postgresql+psycopg://u:***@h/x)" in caplog.text
    assert "hunter2" not in caplog.text


def test_variables_that_agree_need_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/x")
    monkeypatch.setenv("WDH_DATABASE__URI", "postgresql+asyncpg://u:p@h/x")
    choose_database(get_settings())
    assert not caplog.records


def test_wdh_database_uri_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WDH_DATABASE__URI", "postgresql://u:p%40s%25@h/x")
    assert get_database_connection_string() == "postgresql+psycopg://u:p%40s%25@h/x"


def test_nothing_replaces_an_explicit_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@production/x")
    assert choose_database(get_settings(), "sqlite:///mine.db").url.database == "mine.db"


def test_the_environment_beats_the_named_file_beats_dotenv(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = project / "named.env"
    named.write_text("DATABASE_URL=sqlite:///named.db\n", encoding="utf-8")
    (project / ".env").write_text(
        "DATABASE_URL=sqlite:///dotenv.db\nENVIRONMENT=staging\n", encoding="utf-8"
    )
    assert get_database_connection_string() == "sqlite:///dotenv.db"
    assert get_settings().environment == "staging"
    monkeypatch.setenv("WDH_ENV_FILE", str(named))
    get_settings.cache_clear()
    assert get_database_connection_string() == "sqlite:///named.db"
    assert get_settings().environment == "staging"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///environment.db")
    get_settings.cache_clear()
    assert get_database_connection_string() == "sqlite:///environment.db"


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = get_settings()
    monkeypatch.setenv("ENVIRONMENT", "staging")
    assert get_settings() is before
    get_settings.cache_clear()
    assert get_settings().environment == "staging"


def test_prod_requires_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "prod")
    for explicit in (None, "sqlite:///x.db"):
        with pytest.raises(SettingsError, match="needs PostgreSQL") as refused:
            choose_database(get_settings(), explicit)
        assert "DATABASE_URL" in refused.value.for_people()
    assert choose_database(get_settings(), "postgresql://h/x").url.database == "x"


def test_a_bad_value_is_named_with_all_that_was_tried(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "hunter2")
    with pytest.raises(SettingsError) as refused:
        get_settings()
    assert "ENVIRONMENT" in refused.value.message
    assert str(project / ".env") in refused.value.message
    assert "hunter2" not in refused.value.message
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


def test_a_named_file_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WDH_ENV_FILE", "missing.env")
    with pytest.raises(SettingsError, match=r"WDH_ENV_FILE names missing\.env"):
        get_settings()


def test_a_settings_file_that_is_not_utf8_is_an_error(project: Path) -> None:
    (project / ".env").write_bytes(b"DATABASE_URL=\xff\xfe\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        get_settings()


def test_the_variable_with_one_underscore_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WDH_DATABASE", "postgresql://u:hunter2@h/x")
    with pytest.raises(SettingsError, match="settings are not valid") as refused:
        get_settings()
    assert "WDH_DATABASE__URI" in refused.value.hint
    assert "hunter2" not in refused.value.for_people()
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


def test_no_repr_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/x")
    monkeypatch.setenv("WDH_DATABASE__URI", "postgresql://u:hunter2@h/x")
    settings = get_settings()
    shown = f"{settings!r} {settings} {choose_database(settings)} {choose_database(settings)!r}"
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://u:hunter2@h/x?user=a&user=b", "gives the parameter user more than once"),
        ("postgresql://u:hunter2@h/\ud800", "holds a byte that is not UTF-8"),
        ("sqlite:///a\0b.db", "holds a NUL byte"),
    ],
)
def test_what_no_driver_takes_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        choose_database(get_settings(), url)
    assert "hunter2" not in refused.value.for_people()
    assert refused.value.__context__ is None


def test_several_hosts_are_no_parameter_given_twice() -> None:
    url = "postgresql://u@/x?host=a:1&host=b:2"
    assert choose_database(get_settings(), url).url.query == {"host": ("a:1", "b:2")}
