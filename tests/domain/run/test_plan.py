"""The time that a run is expected to take, by what the journal knows."""

from __future__ import annotations

from work_data_hub.domain.run.plan import Plan, Step, expected_seconds

STEPS = tuple(Step(name, "upgrade") for name in "abc")


def test_a_step_takes_what_it_took_or_the_mean_of_its_direction() -> None:
    known = {("a", "upgrade"): 2.0, ("z", "upgrade"): 4.0, ("b", "downgrade"): 99.0}
    assert expected_seconds(STEPS, known) == (2.0, 3.0, 3.0)
    assert expected_seconds(STEPS, {("b", "downgrade"): 99.0}) == ()
    assert expected_seconds((), known) == ()


def test_what_is_left_counts_down_and_never_below_nothing() -> None:
    plan = Plan((), STEPS, (2.0, 3.0, 3.0))
    assert plan.seconds_left(0, 0.5) == 7.5
    assert plan.seconds_left(1, 10.0) == 3.0
    assert plan.seconds_left(2, 10.0) == 0.0
    assert Plan((), STEPS).seconds_left(0, 1.0) is None
