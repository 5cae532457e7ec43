"""The connector in a world of its own: whatever people do and lines drop, both systems end alike."""

from __future__ import annotations

import pytest

from tests.connectors.dynamics.world import DynamicsWorld
from tests.connectors.rest_world import lived
from tests.simulation.profiles import PROFILES


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_oracle_finds_nothing(profile: str, seed: int) -> None:
    """Run more with `python -m tests.connectors.dynamics.worlds`; a seed that fails is a test."""
    assert lived(DynamicsWorld(seed, PROFILES[profile])) == []
