from __future__ import annotations

from dataclasses import replace

import pytest

from work_data_hub.domain.record.target import (
    ENVIRONMENT_CLASSES,
    EnvironmentClass,
    HiddenRecord,
    Identity,
    Target,
)
from work_data_hub.domain.run.protection import (
    check_destructive,
    check_environment,
    check_first_run,
    check_loading,
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
    assert "is not its name" not in refusal.reason
    other = check_destructive(target(environment), "downgrade x", "other")
    assert other is not None
    assert "('other' is not its name)" in other.reason
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


@pytest.mark.parametrize("recorded", ["dev", "staging", "prod"])
@pytest.mark.parametrize("session", ["dev", "staging", "prod"])
def test_a_copy_is_what_it_was_until_somebody_says_otherwise(
    recorded: EnvironmentClass, session: EnvironmentClass
) -> None:
    copy = replace(target(recorded), is_copy=True)
    refusal = check_environment(copy, session)
    assert (refusal is None) == (recorded == session)
    if refusal is not None:
        assert f"a copy of one that is recorded as {recorded}" in refusal.reason
        confirm = "-x confirm=hub " if recorded != "dev" else ""
        command = f"alembic -x record_environment={session} {confirm}ensure_version"
        assert refusal.way_out.endswith(command)
        assert check_recording(copy, session, "hub" if confirm else None) is None


STRANGER = Target("hub", is_local=False, identity=None, has_tables=True)


@pytest.mark.parametrize("wanted", ENVIRONMENT_CLASSES)
def test_what_a_database_of_others_is_is_not_guessed(wanted: EnvironmentClass) -> None:
    refusal = check_first_run(STRANGER, wanted)
    assert (refusal is None) == (wanted == "prod")  # stricter than prod is nothing
    if refusal is not None:
        assert f"record_environment={wanted} -x confirm=hub ensure_version" in refusal.way_out
        assert check_recording(STRANGER, wanted, "hub") is None
    for quiet in (
        replace(STRANGER, is_local=True),
        replace(STRANGER, has_tables=False),
        replace(STRANGER, identity=Identity("1", "staging", "pin")),
    ):
        assert check_first_run(quiet, wanted) is None


@pytest.mark.parametrize("environment", ENVIRONMENT_CLASSES)
def test_seeds_are_loaded_where_the_database_is_named_or_nobodys(
    environment: EnvironmentClass,
) -> None:
    is_quiet = environment in {"dev", "ephemeral"}
    assert (check_loading(target(environment), "x.sql", None) is None) == is_quiet
    assert (check_loading(target(environment), "x.sql", "other") is None) == is_quiet
    assert check_loading(target(environment), "x.sql", "hub") is None


@pytest.mark.parametrize("session", ["dev", "staging", "prod"])
def test_where_data_matter_no_seed_goes_unrecorded(session: EnvironmentClass) -> None:
    unrecorded = replace(target(None), session=session)
    refusal = check_loading(unrecorded, "x.sql", "hub")
    assert (refusal is None) == (session == "dev")
    if refusal is not None:
        assert "`wdh db upgrade` first" in refusal.way_out
    assert check_loading(replace(unrecorded, is_local=False), "x.sql", "hub") is not None


HIDDEN = (HiddenRecord("core.identity", "GRANT this", is_ours=False),)


@pytest.mark.parametrize("environment", ["dev", "ephemeral", "prod", None])
def test_a_record_that_cannot_be_read_counts_as_prod(environment: EnvironmentClass | None) -> None:
    hiding = replace(target(environment), hidden=HIDDEN)
    assert hiding.effective_environment == "prod"
    for refusal in (check_environment(hiding, "dev"), check_recording(hiding, "dev", "hub")):
        assert refusal is not None
        assert "core.identity of the database 'hub' cannot be read" in refusal.reason
        assert "GRANT this" in refusal.way_out
    reset = check_reset(hiding)
    for refusal in (check_destructive(hiding, "downgrade x", None), reset):
        assert refusal is not None
        assert "has a record that cannot be read (core.identity)" in refusal.reason
    assert reset is not None
    assert "GRANT this" in reset.way_out
    assert check_destructive(hiding, "downgrade x", "hub") is None
    assert (check_first_run(hiding, "ephemeral") is None) == (environment is not None)


def test_a_record_of_ones_own_that_cannot_be_read_is_not_called_removed() -> None:
    hiding = replace(target("prod"), hidden=(HIDDEN[0]._replace(is_ours=True),))
    refusal = check_record(hiding, ())
    assert refusal is not None
    assert "cannot be read" in refusal.reason
    assert check_record(replace(target("prod"), hidden=HIDDEN), ()) is None


def test_a_name_is_written_as_a_shell_reads_it() -> None:
    odd = replace(target("prod"), name="a b'c", is_copy=True)
    for refusal in (check_destructive(odd, "x", None), check_environment(odd, "dev")):
        assert refusal is not None
        assert "-x confirm='a b'\"'\"'c' " in refusal.way_out


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
