from __future__ import annotations

import pytest

from work_data_hub.domain.record.target import (
    ENVIRONMENT_CLASSES,
    EnvironmentClass,
    Identity,
    Target,
    identity_of_copy,
)
from work_data_hub.domain.run.protection import (
    check_destructive,
    check_environment,
    check_record,
    check_recording,
    check_reset,
)


def target(environment: EnvironmentClass | None, *, is_local: bool = True) -> Target:
    identity = Identity("1", environment, "pin") if environment else None
    return Target("hub", is_local, identity)


@pytest.mark.parametrize("recorded", ["dev", "staging", "prod"])
@pytest.mark.parametrize("session", ["dev", "staging", "prod"])
def test_a_session_of_another_environment_is_refused(
    recorded: EnvironmentClass, session: EnvironmentClass
) -> None:
    refusal = check_environment(target(recorded), session)
    assert (refusal is None) == (recorded == session)
    if refusal is not None:
        assert f"recorded as {recorded}" in refusal.reason
        assert f"ENVIRONMENT={recorded}" in refusal.way_out


@pytest.mark.parametrize("session", ["dev", "staging", "prod"])
def test_a_throw_away_or_new_database_belongs_to_every_session(session: EnvironmentClass) -> None:
    assert check_environment(target("ephemeral"), session) is None
    assert check_environment(target(None), session) is None


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_staging_and_prod_are_only_destroyed_by_name(environment: EnvironmentClass) -> None:
    refusal = check_destructive(target(environment), "downgrade x", None)
    assert refusal is not None
    assert "'hub'" in refusal.reason
    assert "confirm=hub" in refusal.way_out
    assert check_destructive(target(environment), "downgrade x", "other") is not None
    assert check_destructive(target(environment), "downgrade x", "") is not None
    assert check_destructive(target(environment), "downgrade x", "hub") is None


@pytest.mark.parametrize("environment", ["dev", "ephemeral", None])
def test_elsewhere_it_just_works(environment: EnvironmentClass | None) -> None:
    assert check_destructive(target(environment), "downgrade x", None) is None


def test_a_stranger_on_another_machine_counts_as_prod() -> None:
    refusal = check_destructive(target(None, is_local=False), "downgrade x", None)
    assert refusal is not None
    assert "no identity" in refusal.reason


@pytest.mark.parametrize("wanted", ENVIRONMENT_CLASSES)
def test_leaving_prod_needs_its_name_and_entering_it_does_not(wanted: EnvironmentClass) -> None:
    assert check_recording(target("dev"), wanted, None) is None
    assert (check_recording(target("prod"), wanted, None) is None) == (wanted == "prod")
    assert check_recording(target("prod"), wanted, "hub") is None


@pytest.mark.parametrize(
    ("found", "is_local", "kept"),
    [("prod", True, "dev"), ("prod", False, "prod"), ("ephemeral", True, "ephemeral")],
)
def test_a_copy_gets_an_identity_of_its_own(
    found: EnvironmentClass, is_local: bool, kept: EnvironmentClass
) -> None:
    copy = identity_of_copy(
        Identity("1", found, "old"), new_id="2", pin="new", session="dev", is_local=is_local
    )
    assert copy == Identity("2", kept, "new")


@pytest.mark.parametrize("environment", ENVIRONMENT_CLASSES)
def test_only_dev_and_throw_away_databases_are_reset(environment: EnvironmentClass) -> None:
    refusal = check_reset(target(environment))
    assert (refusal is None) == (environment in {"dev", "ephemeral"})


def test_a_stranger_on_another_machine_is_not_reset() -> None:
    assert check_reset(target(None)) is None
    refusal = check_reset(target(None, is_local=False))
    assert refusal is not None
    assert "counts as prod" in refusal.reason


def test_a_record_that_is_not_whole_is_refused() -> None:
    assert check_record(target("dev"), ()) is None
    without_row = check_record(target(None), ())
    assert without_row is not None
    assert "the row of work_data_hub_identity" in without_row.reason
    without_tables = check_record(target("dev"), ["b", "a"])
    assert without_tables is not None
    assert "the tables a, b were removed" in without_tables.reason
