"""A finding reads alike wherever it is said: to people, to programs, to GitHub."""

from __future__ import annotations

import json

from work_data_hub.domain.finding import (
    ERROR,
    WARNING,
    Finding,
    as_annotation,
    as_data,
    as_text,
)

IN_A_FILE = Finding("name", "it is misnamed", "/r/a.py", 3, hint="rename it")
OF_THE_DATABASE = Finding("vanished", "its file is gone", severity=WARNING)


def test_an_error_says_what_and_where() -> None:
    assert f"{IN_A_FILE}" == "/r/a.py:3: it is misnamed"
    assert f"{OF_THE_DATABASE}" == "its file is gone"


def test_a_line_for_people_has_the_place_how_grave_it_is_what_to_do_and_the_code() -> None:
    assert as_text(IN_A_FILE, "a.py") == "a.py:3: error: it is misnamed; rename it [name]"
    assert as_text(OF_THE_DATABASE, None) == "database: warning: its file is gone [vanished]"


def test_data_has_every_field_also_those_that_say_nothing() -> None:
    assert as_data(IN_A_FILE) == {
        "code": "name",
        "path": "/r/a.py",
        "line": 3,
        "message": "it is misnamed",
        "severity": ERROR,
        "hint": "rename it",
    }
    of_the_database = as_data(OF_THE_DATABASE)
    assert (of_the_database["path"], of_the_database["line"], of_the_database["hint"]) == (
        None,
        1,
        "",
    )


def test_data_becomes_the_same_finding_again() -> None:
    for finding in (IN_A_FILE, OF_THE_DATABASE):
        again = Finding(**json.loads(json.dumps(as_data(finding))))
        assert as_data(again) == as_data(finding)


def test_an_annotation_is_at_the_line_where_there_is_a_file() -> None:
    assert as_annotation(IN_A_FILE, "a.py") == (
        "::error file=a.py,line=3,title=name::it is misnamed; rename it"
    )
    assert as_annotation(OF_THE_DATABASE, None) == "::warning title=vanished::its file is gone"


def test_an_annotation_is_escaped_as_github_wants() -> None:
    finding = Finding("a:b,c", "100% wrong:\r\nthis, that", "/r/x", 3, hint="50%: wait")
    assert as_annotation(finding, "a,b:c%.py") == (
        "::error file=a%2Cb%3Ac%25.py,line=3,title=a%3Ab%2Cc"
        "::100%25 wrong:%0D%0Athis, that; 50%25: wait"
    )
