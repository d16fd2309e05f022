"""What becomes of the values of a column that gets another type on PostgreSQL."""

from __future__ import annotations

import pytest

from work_data_hub.domain.snapshot.postgresql_mends.names import free_name, names_in, with_names
from work_data_hub.domain.snapshot.postgresql_mends.types import is_wider, needs_using


@pytest.mark.parametrize(
    ("old", "new", "wider", "in_place"),
    [
        ("character varying(9)", "character varying(12)", True, True),
        ("character varying(9)", "character varying(3)", False, False),
        ("character varying(9)", "character varying", True, True),
        ("character varying", "text", True, True),
        ("text", "character varying(9)", False, False),
        ("character varying", "character varying(9)", False, False),
        ("integer", "bigint", True, False),
        ("bigint", "integer", False, False),
        ("integer", "numeric", True, False),
        ("integer", "numeric(3,0)", False, False),
        ("numeric(10,2)", "numeric(12,2)", True, True),
        ("numeric(10,2)", "numeric(12,4)", True, False),
        ("numeric(10,2)", "numeric(10,4)", False, False),
        ("numeric(10,2)", "numeric", True, True),
        ("numeric", "numeric(10,2)", False, False),
        ("public.mood", "text", True, False),
        ("date", "timestamp without time zone", False, False),
    ],
)
def test_a_type_that_holds_every_value_of_another_is_known(
    old: str, new: str, wider: bool, in_place: bool
) -> None:
    assert is_wider(old, new) is wider
    assert is_wider(old, new, is_in_place=True) is in_place


def test_no_cast_is_written_that_would_cut_off_a_text() -> None:
    assert not needs_using("text", "character varying(3)")
    assert not needs_using("numeric(10,2)", "numeric(8,1)")
    assert needs_using("text", "integer")


def test_names_are_found_with_and_without_what_they_are_in() -> None:
    assert names_in("nextval('public.\"a.b\"'::regclass)") >= {'public."a.b"', "public", '"a.b"'}


def test_a_name_is_put_in_the_place_of_another_but_not_in_a_string() -> None:
    names = {"public.t": "public.u", "a": "b"}
    text = "CHECK (a <> 'a' AND public.t.a = old.a AND x.a = aa)"
    assert with_names(text, names) == "CHECK (b <> 'a' AND public.u.a = old.b AND x.a = aa)"


def test_a_free_name_is_no_longer_than_a_name_can_be() -> None:
    assert free_name("t_a_check", {"t_a_check"}) == "t_a_check1"
    long = '"' + "\u00fc" * 31 + '"'
    cut = free_name(long, {long})
    assert cut == '"' + "\u00fc" * 31 + '1"'
    assert len(free_name(long, {long, cut}, "_new").encode()) <= 65
