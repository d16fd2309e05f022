from __future__ import annotations

import pytest

from work_data_hub.config.database_address import parse_address
from work_data_hub.config.database_url import mask, scrub, url_of
from work_data_hub.errors import SettingsError
from work_data_hub.redaction import SECRET_ENDINGS


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("postgres://u@h/x", "postgresql+psycopg"),
        ("postgresql://u@h/x", "postgresql+psycopg"),
        ("postgresql+asyncpg://u@h/x", "postgresql+psycopg"),
        ("postgresql+psycopg://u@h/x", "postgresql+psycopg"),
        ("POSTGRES://u@h/x", "postgresql+psycopg"),
        ("sqlite:///x.db", "sqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite"),
    ],
)
def test_migrations_use_the_synchronous_driver(text: str, driver: str) -> None:
    assert url_of(parse_address(text, source="S")).drivername == driver


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40s%25", "p@s%"),
        ("p@ss", "p@ss"),
        ("p:w", "p:w"),
        ("p/w", "p/w"),
        ("50%", "50%"),
        ("pä?ß#", "pä?ß#"),
        ("a@b/c:d", "a@b/c:d"),
        ("p@ss?word", "p@ss?word"),
        ("sec@re/t:p%w#?x", "sec@re/t:p%w#?x"),
        ("", ""),
    ],
)
def test_any_character_may_stand_in_a_password(written: str, password: str) -> None:
    url = url_of(
        parse_address(f"postgresql://user:{written}@host:5433/name?sslmode=require", source="S")
    )
    assert (url.username, url.password) == ("user", password)
    assert (url.host, url.port, url.database) == ("host", 5433, "name")
    assert url.query == {"sslmode": "require"}


def test_an_at_sign_in_the_query_is_not_the_end_of_the_password() -> None:
    url = url_of(parse_address("postgresql://u:p@h/x?application_name=a@b", source="S"))
    assert (url.password, url.host, url.query["application_name"]) == ("p", "h", "a@b")


@pytest.mark.parametrize(
    "text",
    [
        "sqlite://relative.db",
        "sqlite://user:hunter2@host/x.db",
        "nonsense",
        "",
        "mysql://u:hunter2@h/x",
        "postgresql://u:hunter2@h:port/x",
        "postgresql://u:hunter2@h:/x",
        "postgresql://u@h:hunter2/x",
        "://u:hunter2@h",
    ],
)
def test_what_is_no_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        url_of(parse_address(text, source="DATABASE_URL"))
    assert "DATABASE_URL" in refused.value.message
    assert "hunter2" not in refused.value.for_people()
    assert refused.value.exit_code == 2
    # A program's log shows what an error came from, `from None` or not.
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


def test_the_path_of_a_file_is_printed_as_it_is() -> None:
    url = url_of(parse_address("sqlite:////folder/größe 1.db", source="S"))
    assert mask(url) == "sqlite:////folder/größe 1.db"


def test_a_printed_url_holds_no_secret() -> None:
    url = url_of(
        parse_address("postgresql://u:hunter2@h/x?sslpassword=hunter3&options=o", source="S")
    )
    assert mask(url) == "postgresql+psycopg://u:***@h/x?options=o&sslpassword=***"


@pytest.mark.parametrize("key", [*SECRET_ENDINGS, "pass", "key", "sslpassword", "SSLPASSWORD"])
def test_every_secret_of_the_query_is_hidden_and_scrubbed(key: str) -> None:
    for written in (key, key.upper(), f"my_{key}"):
        url = url_of(parse_address(f"postgresql://h/x?{written}=hunter2&a=b", source="S"))
        assert "hunter2" not in mask(url)
        assert f"{written}=***" in mask(url)
        assert "a=b" in mask(url)
        assert scrub("bad: hunter2", url) == "bad: ***"
    twice = url_of(parse_address(f"postgresql://h/x?{key}=hunter2&{key}=hunter3", source="S"))
    assert mask(twice) == f"postgresql+psycopg://h/x?{key}=***"
    assert scrub("hunter2 hunter3", twice) == "*** ***"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("options=-c%20password%3Dhunter2", "options=-c+password%3D***"),
        ("conninfo=host%3Dh%20password%3Dhunter2", "conninfo=host%3Dh+password%3D***"),
        ("proxy=http%3A%2F%2Fu%3Ahunter2%40h", "proxy=http%3A%2F%2Fu%3A***%40h"),
        ("db_name=passwords", "db_name=passwords"),
        ("passfile=/home/u/.pgpass", "passfile=%2Fhome%2Fu%2F.pgpass"),
    ],
)
def test_a_value_of_the_query_is_shown_without_the_secrets_in_it(query: str, shown: str) -> None:
    url = url_of(parse_address(f"postgresql://h/x?{query}", source="S"))
    assert mask(url) == f"postgresql+psycopg://h/x?{shown}"


def test_a_secret_in_a_drivers_message_is_replaced() -> None:
    url = url_of(parse_address("postgresql://u:p%40ss@h/x", source="S"))
    assert scrub("bad: p@ss or p%40ss", url) == "bad: *** or ***"
    short = url_of(parse_address("postgresql://u:p@h/x", source="S"))
    assert scrub("cannot open postgresql://u:p@h/x", short) == "cannot open postgresql://u:***@h/x"
