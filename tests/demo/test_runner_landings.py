"""How long edits take to both systems."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.demo.landings import Landings
from streams.demo.record import HeldRecord
from streams.policy import default_policy
from tests.builders import apply_command, lead, marketo

PERSON = "p-775"


def held_by(system: str) -> HeldRecord:
    record = marketo() if system == "marketo" else lead()
    return HeldRecord(record, record.id, PERSON, {})


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def landings(clock: Callable[[], float]) -> Landings:
    return Landings(default_policy(), clock)


def test_the_time_from_an_edit_to_its_landing(landings: Landings, clock: Clock) -> None:
    """From Marketo to Dynamics, each in its own column."""
    landings.entered(held_by("marketo"), {"city": "Utrecht"})
    clock.now = 1.5
    landings.landed(held_by("dynamics"), apply_command(fields={"address1_city": "Utrecht"}))
    assert landings.seconds == [1.5] and landings.edits == 1
    assert landings.percentile(0.5) == landings.percentile(0.99) == 1.5


def test_what_lost_or_was_edited_over_never_arrives(landings: Landings, clock: Clock) -> None:
    """Only the value that lands counts, from when it was entered."""
    landings.entered(held_by("marketo"), {"city": "Utrecht"})
    clock.now = 1.0
    landings.entered(held_by("marketo"), {"city": "Leeds"})
    landings.landed(held_by("dynamics"), apply_command(fields={"address1_city": "Utrecht"}))
    assert landings.seconds == []
    clock.now = 3.0
    landings.landed(held_by("dynamics"), apply_command(fields={"address1_city": "Leeds"}))
    landings.landed(held_by("dynamics"), apply_command(fields={"address1_city": "Leeds"}))
    assert landings.seconds == [2.0]


def test_what_waited_behind_an_error_is_not_timed(landings: Landings, clock: Clock) -> None:
    """It would tell how long somebody took to correct a value."""
    landings.entered(held_by("marketo"), {"city": "Utrecht"})
    landings.error_opened(PERSON)
    landings.error_closed(PERSON)
    clock.now = 60.0
    landings.landed(held_by("dynamics"), apply_command(fields={"address1_city": "Utrecht"}))
    assert landings.seconds == [] and landings.percentile(0.99) == 0.0
