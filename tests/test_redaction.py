"""What a person is told, and what is stored, holds no secret; and what is none stays readable."""

from __future__ import annotations

import time

import pytest

from work_data_hub.errors import MigrationFailedError, WorkDataHubError
from work_data_hub.redaction import (
    SECRET_ENDINGS,
    is_secret,
    message_without_secrets,
    statement_without_secrets,
    without_secrets,
)

LITERALS = {
    "standard": "'s3cret'",
    "with a quote": "'s3''cret'",
    "with a space": "'a s3cret'",
    "E": "E's3\\'cret'",
    "Unicode": "U&'\\0073s3cret'",
    "dollars": "$$s3cret$$",
    "tagged dollars": "$pw$s3'cret$pw$",
    "over lines": "$$a\ns3cret$$",
    "cut off": "'s3cret",
    "nothing": "'' ",
    "in a string": "''s3cret''",
    "in a string, with a quote": "''s3''''cret''",
}
BEFORE = [
    "CREATE USER app PASSWORD {}",
    "create role app with login password {}",
    "ALTER USER app WITH ENCRYPTED PASSWORD {}",
    "ALTER ROLE app\n\tPASSWORD\n{}",
    "CREATE USER app IDENTIFIED BY {}",
    "CREATE USER app IDENTIFIED WITH sha2 BY {}",
    "SET PASSWORD = {}",
    "SET PASSWORD FOR app = PASSWORD({})",
    "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password {})",
    "ALTER USER MAPPING FOR u SERVER s OPTIONS (SET password {})",
]
URLS = [
    "postgresql://hub:s3cret@h:5432/x",
    "postgresql+psycopg://hub:s3@cret@h/x",
    "postgresql://hub:s3/cret?@h/x",
    "postgresql://hub:s3 cret@h/x",
    "postgresql://:s3cret@h/x",
    "https://hub:s3cret@h/x",
    "s3://hub:s3cret@bucket/x.csv",
    "'oauth2://hub:s3cret'",
    "svn+2.0-x.://hub:s3cret@h/x",
    # What a path makes of it, and what is cut off before the "@".
    "postgresql:/hub:s3cret@h/x",
    "'postgresql://hub:s3cret'",
    "':/hub:s3cret'",
    "postgresql://h/x?sslmode=require&password=s3cret",
    "postgresql://h/x?PASSWORD=s3cret",
    "postgresql://h/x?options=-c%20password%3Ds3cret",
    "postgresql://h/x?conninfo=password%3D%27s3cret%27",
]
CONNECTION_STRINGS = [
    "host=h password=s3cret",
    "host=h password = s3cret dbname=x",
    "host=h password='a s3cret' dbname=x",
    "host=h password='a \\'s3cret' dbname=x",
    "host=h password=a\\ s3cret dbname=x",
    "host=h password=a'b&s3cret dbname=x",
    'password="s3cret"',
    "{'user': 'u', 'password': 's3cret'}",
    '{"token": 1, "password": "s3cret"}',
    "password: 's3cret'",
    "load --db-password s3cret --verbose",
    "Command '['load', '--password', 's3cret']' returned non-zero exit status 1.",
    "401 for Authorization: Bearer s3cret",
    "{'Authorization': 'Basic czpzM2NyZXQ=s3cret'}",
]
HARMLESS = [
    'password authentication failed for user "hub"',
    'unrecognized role option "password"',
    'column "password" is of type integer but expression is of type "char"',
    'unrecognized token: "#"',
    "KeyError: 'password'",
    "unexpected token 'x'",
    'duplicate key value violates unique constraint "pk": Key (id)=(1)',
    "ALTER TABLE users ADD COLUMN password text",
    "CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT 'x')",
    "use postgresql://user:password@host:5432/name or sqlite:///path/to/file.db",
    "cannot open postgresql+psycopg://u:***@h:5432/x: root@host holds it",
    "postgresql+psycopg://h:5432/x is held by root@host",
    "db_name=passwords",
    "load --no-password --verbose",
    "load --password-file /run/secret --token-kind x",
    "postgresql://h/x?db_name=passwords&passfile=/home/u/.pgpass",
    "sqlite:////folder/a b.db",
    "check that the server runs, and the host, port, user, password and database name",
    "see https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing",
    "file.py:12: KeyError: 'x'",
]


@pytest.mark.parametrize("literal", LITERALS.values(), ids=LITERALS)
@pytest.mark.parametrize("before", BEFORE)
def test_the_password_of_a_statement_is_hidden(before: str, literal: str) -> None:
    statement = before.format(literal)
    for shown in (without_secrets(statement), statement_without_secrets(statement)):
        assert "cret" not in shown
        assert "***" in shown
        assert shown.startswith(statement[: len("SET PASSWORD")])


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN EXECUTE format('CREATE USER app PASSWORD %L', 's3cret'); END $$",
        "DO $$ BEGIN EXECUTE 'CREATE USER app PASSWORD ' || quote_literal('s3cret'); END $$",
        "DO $$ BEGIN EXECUTE 'CREATE USER app PASSWORD ''s3cret'''; END $$",
        "INSERT INTO users (name, password) VALUES ('u', 's3cret')",
        "UPDATE users SET password_hash = crypt('s3cret', gen_salt('bf'))",
        "INSERT INTO settings VALUES ('smtp_password', 's3cret')",
        "INSERT INTO api_tokens VALUES ('u', 's3cret')",
        "UPDATE users SET token_hash = 's3cret'",
        "UPDATE users SET user_pwd = 's3cret', pwd_hint = NULL",
        "SELECT set_config('app.api_key', 's3cret', false)",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=s3cret' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=''a s3cret''' PUBLICATION p",
        "ALTER SUBSCRIPTION s CONNECTION $$host=h password='a s3cret'$$",
        "SELECT dblink_connect('c', 'host=h user=u password=s3cret')",
        "SELECT * FROM dblink('postgresql://u:s3cret@h/x', 'SELECT 1') AS t (a int)",
        "ALTER SYSTEM SET primary_conninfo = 'host=h password=s3cret'",
    ],
)
def test_what_may_be_put_together_is_not_shown_at_all(statement: str) -> None:
    shown = statement_without_secrets(statement)
    assert "s3cret" not in shown
    assert shown[:6] == statement[:6]


@pytest.mark.parametrize("text", [*URLS, *CONNECTION_STRINGS])
@pytest.mark.parametrize("around", ["{}", "there is no verb '{}'", "root@box: {} (at a@b)"])
def test_a_secret_is_hidden_wherever_it_stands(text: str, around: str) -> None:
    said = without_secrets(around.format(text))
    assert "cret" not in said
    assert "***" in said
    assert said.startswith(around.partition("{")[0])
    assert without_secrets(said) == said


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_not_hidden(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ADD COLUMN password text",
        "CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT 'x')",
        "CREATE VIRTUAL TABLE t USING fts5 (body, tokenize = 'porter')",
        "ALTER ROLE app SET search_path = 'x'",
    ],
)
def test_a_statement_without_a_secret_is_shown(statement: str) -> None:
    assert statement_without_secrets(statement) == statement


# What those call a secret who have one, by how that ends.
CALLED = {
    "password": "sslpassword",
    "passwd": "db_passwd",
    "passphrase": "key_passphrase",
    "passcode": "passcode",
    "pwd": "user_pwd",
    "secret": "client_secret",
    "token": "sas_token",
    "credentials": "google_credentials",
    "api_key": "X-API-Key",
    "apikey": "apikey",
    "access_key": "storage_access_key",
    "secret_key": "django_secret_key",
    "private_key": "private_key",
}


def test_every_ending_is_what_some_secret_is_called() -> None:
    assert sorted(CALLED) == sorted(SECRET_ENDINGS)


@pytest.mark.parametrize("name", CALLED.values())
def test_a_secret_is_known_by_what_it_is_called(name: str) -> None:
    assert is_secret(name)
    for text in (f"{name}=s3cret", f"{{'{name}': 's3cret'}}", f"postgresql://h/x?{name}=s3cret"):
        assert "s3cret" not in without_secrets(text)
    column = name.replace("-", "_")
    statement = f"INSERT INTO users (name, {column}) VALUES ('u', 's3cret')"
    assert "s3cret" not in statement_without_secrets(statement)


@pytest.mark.parametrize(
    "spoken",
    [
        *("PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "PWD"),
        *("IDENTIFIED BY", "IDENTIFIED AS", "IDENTIFIED WITH sha2 AS"),
    ],
)
def test_a_literal_behind_a_word_for_a_secret_is_hidden(spoken: str) -> None:
    assert without_secrets(f"CREATE USER app {spoken} 's3cret' x") == (
        f"CREATE USER app {spoken} *** x"
    )
    parts = f"EXECUTE 'CREATE USER app {spoken} ' || quote_literal('s3cret')"
    assert "s3cret" not in statement_without_secrets(parts)


@pytest.mark.parametrize("ending", SECRET_ENDINGS)
def test_every_name_of_a_secret_is_known_in_capitals_and_at_the_end_of_another(ending: str) -> None:
    for key in (ending, ending.upper(), f"my_{ending}", ending.replace("_", "-")):
        assert is_secret(key)
        assert without_secrets(f"{key}=s3cret&a=b").startswith(f"{key}=***")
        assert without_secrets(f"postgresql://h/x?{key}%3Ds3cret").endswith("***")
    assert not is_secret(f"{ending}s_file")


@pytest.mark.parametrize("key", ["db_name", "passfile", "tokenizer", "sslmode", "keepalives", ""])
def test_other_keys_hold_no_secret(key: str) -> None:
    assert not is_secret(key)


@pytest.mark.parametrize(
    ("statement", "message", "said"),
    [
        ("CREATE USER a PASSWORD 'it's3cret'", 'at or near "s3cret"', 'at or near "***"'),
        ("CREATE USER a PASSWORD 'it's3cret'", "bei »s3cret«", "bei »***«"),
        ("CREATE USER a PASSWORD 'x'", 'role "a" already exists', 'role "a" already exists'),
        ("SELECT s3cret", 'at or near "s3cret"', 'at or near "s3cret"'),
        (None, "no password=s3cret", "no password=***"),
    ],
)
def test_what_a_driver_quotes_of_a_secret_is_hidden(
    statement: str | None, message: str, said: str
) -> None:
    assert message_without_secrets(message, statement) == said


def test_the_text_of_a_fault_holds_no_secret() -> None:
    fault = WorkDataHubError("cannot reach postgresql://u:s3cret@h/x", hint="password=s3cret")
    known = MigrationFailedError("PASSWORD 's3cret'", hint="look")
    for text in (str(fault), repr(fault), fault.for_people(), str(known), *fault.args):
        assert "s3cret" not in text


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "password" * 100_000,
        "://u:" * 100_000,
        "://u:p@" * 100_000,
        "password=" + "''" * 300_000,
        "PASSWORD '" + "\\" * 500_000,
        "PASSWORD ''" + "''''" * 200_000,
        " " * 500_000 + "=",
        "password" + " " * 500_000,
        "'" * 500_000,
    ],
    ids=lambda text: text[:12],
)
def test_the_time_grows_with_the_length(text: str) -> None:
    started = time.perf_counter()
    without_secrets(text)
    statement_without_secrets(text)
    assert time.perf_counter() - started < 5
