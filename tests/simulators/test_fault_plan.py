"""Fault plans and their chance."""

from __future__ import annotations

import random

import pytest

from streams.simulators.faults import FaultPlan, Faults


@pytest.mark.parametrize("shares", [{"nonsense": 0.1}, {"latency": 1.5}, {"latency": -0.1}])
def test_a_plan_of_what_there_is_not_is_refused(shares: dict[str, float]) -> None:
    """A name that no fault has, a share that is none."""
    with pytest.raises(ValueError):
        FaultPlan(shares)


def test_a_fault_strikes_as_often_as_its_share_and_is_counted() -> None:
    """Of many calls."""
    faults = Faults(FaultPlan({"rate_606": 0.25}), random.Random(3))
    struck = sum(faults.strikes("rate_606") for _ in range(4_000))
    assert struck == faults.counts["rate_606"] and 850 < struck < 1_150


def test_a_fault_without_a_share_never_strikes_and_draws_nothing() -> None:
    """So that switching one on does not move the others."""
    one, other = (Faults(FaultPlan({"rate_606": 0.5}), random.Random(3)) for _ in range(2))
    struck = []
    for _ in range(50):
        assert not one.strikes("quota_607")
        struck.append((one.strikes("rate_606"), other.strikes("rate_606")))
    assert all(mine == theirs for mine, theirs in struck)


def test_what_comes_about_by_itself_can_be_noted() -> None:
    """It has no share."""
    faults = Faults()
    faults.note("rewritten_on_save")
    assert faults.counts == {"rewritten_on_save": 1}
