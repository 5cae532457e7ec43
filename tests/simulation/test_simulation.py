"""Two thousand worlds, each with its own seed."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import failure, seeds_of
from tests.simulation.profiles import PROFILES

SEEDS = 2000


@pytest.mark.parametrize("name", list(PROFILES))
def test_every_world_of_a_profile_ends_as_the_oracle_says(name: str) -> None:
    """Whatever the faults, both systems end as true sight says they must."""
    failed = {}
    for profile, seed in seeds_of(SEEDS):
        if profile.name == name and (found := failure(profile, seed)):
            failed[seed] = found
    told = "\n".join(
        f"python -m tests.simulation --profile {name} --seed {s} --trace: {f[0]}" for s, f in failed.items()
    )
    assert not failed, f"{len(failed)} seeds fail:\n{told}"
