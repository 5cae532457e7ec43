"""How fast simulated people edit, and when they stop."""

from __future__ import annotations

import pytest

from streams.demo.pace import Pace


@pytest.mark.parametrize(
    ("edits", "seconds", "per_second"),
    [(60, None, 100), (1_500, None, 100), (3_000, None, 200), (20_000, None, 400), (300, 4.0, 75)],
)
def test_the_pace_lets_one_watch_and_ends_soon(edits: int, seconds: float | None, per_second: float) -> None:
    """Some fifteen seconds, within bounds; or just as long as was asked for."""
    assert Pace(edits, seconds).edits_per_second == per_second


def test_it_is_over_with_the_last_edit_or_the_last_second() -> None:
    """Whichever comes first."""
    assert Pace(100).share(50, 1_000.0) == 0.5
    assert Pace(100, 10.0).share(50, 8.0) == 0.8
    assert Pace(100, 10.0).share(90, 8.0) == 0.9
    assert Pace(0).share(0, 0.0) == 1.0


def test_people_wait_when_they_are_ahead() -> None:
    """Of a hundred edits a second."""
    assert Pace(100).is_ahead(101, 1.0) and not Pace(100).is_ahead(100, 1.0)
