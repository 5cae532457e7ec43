"""The connector in a world of its own: whatever people do and lines drop, both systems end alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.connectors.marketo.world import MarketoWorld
from tests.connectors.rest_world import lived
from tests.simulation.profiles import PROFILES, Faults


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_oracle_finds_nothing(profile: str, seed: int) -> None:
    """Run more with `python -m tests.connectors.marketo.worlds`; a seed that fails is a test."""
    assert lived(MarketoWorld(seed, PROFILES[profile])) == []


@pytest.mark.parametrize("seed", [23, 66, 118, 121])
def test_a_late_repeat_undoes_nobodys_edit(seed: int) -> None:
    """Marketo lists no revision of it, and it was taken for an edit: the value that somebody had just entered was written over."""
    profile = replace(PROFILES["edits"], faults=Faults(again=0.5, upsets=0.3))
    assert lived(MarketoWorld(seed, profile)) == []


class LaggingWorld(MarketoWorld):
    """Its feed lists what happened long after the rows show it."""

    indexing_seconds = 20.0


@pytest.mark.parametrize(("profile", "seed"), [("creations", 2), ("shipped", 2), ("blocked", 1)])
def test_what_is_listed_late_passes_for_no_rewriting_of_ours(profile: str, seed: int) -> None:
    """An edit of somebody whom we had just made stood in the row that was told first, and lost without a word."""
    assert lived(LaggingWorld(seed, PROFILES[profile])) == []


@pytest.mark.parametrize(("profile", "seed"), [("merges", 8), ("merges", 14), ("merges", 20), ("filter", 33)])
def test_what_is_listed_late_passes_for_nobodys_edit(profile: str, seed: int) -> None:
    """Neither a write of ours in the row of a merge's winner, nor somebody's edit in the second in which we made a person."""
    assert lived(LaggingWorld(seed, PROFILES[profile])) == []
