from __future__ import annotations

import pytest

from work_data_hub.domain.project.env_variables import variables_set

NAMES = ("DATABASE_URL", "ENVIRONMENT")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("os.environ['DATABASE_URL'] = url", {"DATABASE_URL"}),
        ("from os import environ\nenviron['ENVIRONMENT'] = 'dev'", {"ENVIRONMENT"}),
        ("a = os.environ['ENVIRONMENT'] = os.environ['DATABASE_URL'] = b", set(NAMES)),
        ("del os.environ['DATABASE_URL']", {"DATABASE_URL"}),
        ("os.environ.pop('DATABASE_URL', None)", {"DATABASE_URL"}),
        ("os.environ.update(DATABASE_URL=url, other=1)", {"DATABASE_URL"}),
        ("os.environ.update({'ENVIRONMENT': 'dev', **more})", {"ENVIRONMENT"}),
        ("load_dotenv(override=True)", set(NAMES)),
        ("dotenv.load_dotenv('.env', override=is_wanted)", set(NAMES)),
        (
            "with x:\n    try:\n        load_dotenv(override=True)\n    finally:\n        y",
            set(NAMES),
        ),
    ],
)
def test_what_it_sets_in_any_case_is_found(source: str, found: set[str]) -> None:
    assert variables_set(source.encode(), NAMES) == found


@pytest.mark.parametrize(
    "source",
    [
        "def",
        "\0",
        "x = os.environ['DATABASE_URL']",
        "os.environ['SHOP_URL'] = url",
        "os.environ[name] = url",
        "other['DATABASE_URL'] = url",
        "os.environ.setdefault('DATABASE_URL', url)",
        "os.environ.get('DATABASE_URL')",
        "settings.update(DATABASE_URL=url)",
        "load_dotenv()",
        "load_dotenv('.env', override=False)",
        "if 'DATABASE_URL' not in os.environ:\n    os.environ['DATABASE_URL'] = url",
        "def set_it():\n    os.environ['DATABASE_URL'] = url",
    ],
)
def test_what_leaves_alone_what_is_set_is_not_taken_for_it(source: str) -> None:
    assert variables_set(source.encode(), NAMES) == set()
