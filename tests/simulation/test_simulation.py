"""Two thousand worlds, each with its own seed."""

from __future__ import annotations

import pytest

from tests.simulation.profiles import PROFILES
from tests.simulation.running import failure, run_all, seeds_of

SEEDS = 2000
KEPT = (("contact_only", 202079), ("blocked_life", 100085), ("blocked_life", 300810))
"""Rare ones that found something wrong, with the core or with what was said of it."""


@pytest.mark.parametrize("name", list(PROFILES))
def test_every_world_of_a_profile_ends_as_the_oracle_says(name: str) -> None:
    """Whatever the faults, both systems end as true sight says they must."""
    asked = [seeds for seeds in seeds_of(SEEDS) if seeds.profile == name]
    failures = run_all(asked).failures
    told = "\n".join(f"python -m tests.simulation --shrink {failure}" for failure in failures)
    assert not failures, f"{len(failures)} seeds fail:\n{told}"


@pytest.mark.parametrize(("name", "seed"), KEPT)
def test_a_rare_world_that_found_something_ends_as_the_oracle_says(name: str, seed: int) -> None:
    assert failure(PROFILES[name], seed) == []
