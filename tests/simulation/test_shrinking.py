"""A failure that was found is told again as it was, and in few moves."""

from __future__ import annotations

from itertools import count, islice

import pytest

from tests.simulation.findings import Finding
from tests.simulation.profiles import PROFILES
from tests.simulation.shrinking import Story, recorded, replayed, shrunk, told
from tests.simulation.test_teeth import landings_half_believed

CALM = PROFILES["calm"]
MOVES_MAX = 30


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Story, list[Finding]]]:
    """The first ten stories that go wrong by a planted fault, and what is wrong with each."""
    landings_half_believed(monkeypatch)
    every = (recorded(seed, CALM) for seed in count())
    return list(islice((each for each in every if each[1]), 10))


def test_a_story_told_again_goes_wrong_as_it_did(failures: list[tuple[Story, list[Finding]]]) -> None:
    """Every move says again what it said, ids and all."""
    for story, found in failures:
        assert found[0].law in {again.law for again in replayed(story, CALM)}


def test_a_failure_is_told_in_few_moves(failures: list[tuple[Story, list[Finding]]]) -> None:
    """What is left breaks the same law, and says so at its end."""
    story, found = failures[0]
    short = shrunk(story, CALM, found[0].law)
    assert len(short) <= MOVES_MAX < len(story)
    *_, last = told(short, CALM)
    assert last.startswith("      !!! ") and f": {found[0].law}: " in last
