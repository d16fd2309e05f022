"""The light room of URLs says what SQLAlchemy says."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from work_data_hub.config.database_address import parse_address
from work_data_hub.config.database_url import address_of, url_of
from work_data_hub.io.schema.engine import sqlite_file

NASTY = [
    "postgresql+psycopg://",
    "postgresql+psycopg:///x",
    "postgresql+psycopg:///",
    "postgresql+psycopg://h",
    "postgresql+psycopg://h/",
    "postgresql+psycopg://u@h/x",
    "postgresql+psycopg://u:@h/x",
    "postgresql+psycopg://:p@h/x",
    "postgresql+psycopg://@h/x",
    "postgresql+psycopg://u%40v:p%2Fw%25@h:5433/na%20me",
    "postgresql+psycopg://u:%2A%2A%2A@h/x",
    "postgresql+psycopg://us er:p+w@h/x+y",
    "postgresql+psycopg://u:p@[::1]:5433/x",
    "postgresql+psycopg://u:p@[fe80::1%25eth0]/x",
    "postgresql+psycopg://u:p@/x?host=/var/run/postgresql&port=5433",
    "postgresql+psycopg://u:p@/x?host=a:1&host=b:2&sslmode=require",
    "postgresql+psycopg://h/x?service=s&passfile=/home/u/.pgpass&sslpassword=hunter2",
    "postgresql+psycopg://h/x?options=-c%20search_path%3Da&application_name=a%20b",
    "postgresql+psycopg://h/x?empty=&one",
    "postgresql+psycopg://h/größe?key=ü&z=1&a=2&token=3&token=4",
    "postgresql+psycopg://h/x?",
    "postgresql+psycopg://h?sslmode=require",
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///x.db",
    "sqlite:////folder/größe 1.db",
    "sqlite:///a%20b.db?timeout=3",
    "sqlite:///file:x.db?mode=ro&uri=true",
    "sqlite:///file:/folder/a%2520b.db?uri=true",
    "sqlite:///C:\\folder\\x.db",
]


@pytest.mark.parametrize("text", NASTY)
def test_the_parts_of_a_url_are_those_that_sqlalchemy_sees(text: str) -> None:
    assert url_of(parse_address(text, source="S")) == make_url(text)
    assert parse_address(text, source="S") == address_of(make_url(text))
    assert parse_address(text, source="S").file == sqlite_file(make_url(text))


@pytest.mark.parametrize(
    "text",
    [
        text
        for text in NASTY
        if text.startswith("p") and "hunter" not in text and "token" not in text
    ],
)
def test_a_url_is_printed_as_sqlalchemy_prints_it(text: str) -> None:
    expected = make_url(text).render_as_string(hide_password=True)
    assert parse_address(text, source="S").masked() == expected


def test_no_repr_of_an_address_shows_a_secret() -> None:
    address = parse_address("postgresql://u:hunter2@h/x?sslpassword=hunter3", source="S")
    assert "hunter" not in f"{address} {address!r}"
