from __future__ import annotations

from work_data_hub.domain.project.ini_edit import disable_option, set_option

INI = "[other]\nname = 1\n[alembic]\nscript_location = x\n# name = 2\nname = 3\n    4\nlast = 5\n"


def test_an_option_becomes_a_comment_with_all_its_lines() -> None:
    text, value = disable_option(INI, "name")
    assert text == INI.replace("name = 3\n    4\n", "# name = 3\n#     4\n")
    assert value == "3\n    4"
    assert disable_option(text, "name") == (text, None)


def test_an_option_is_set_where_it_is_or_below_the_script_location() -> None:
    assert set_option(INI, "last", "6") == INI.replace("last = 5", "last = 6")
    new = set_option(INI, "new", "1").replace("\r\n", "\n")
    assert new == INI.replace("= x\n", "= x\nnew = 1\n")
    windows = INI.replace("\n", "\r\n")
    assert set_option(windows, "new", "1").replace("\r\n", "\n") == new
    assert "\n" not in set_option(windows, "new", "1").replace("\r\n", "")
    assert set_option("[alembic]\nscript_location = x", "a", "b").endswith("= x\na = b\n")
