"""A statement is its words, with what stands in parentheses as one of them."""

from __future__ import annotations

from work_data_hub.domain.sqlite.items import divided, items_of


def test_only_a_comma_that_is_no_string_and_in_no_parentheses_divides() -> None:
    parts = divided(items_of("a + b, ',', f(c, d), \",\""))
    assert [[item.text for item in part] for part in parts] == [
        ["a", "+", "b"],
        ["','"],
        ["f", ""],
        ['","'],
    ]
    assert divided(()) == []
