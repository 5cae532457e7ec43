"""What a run measures, and what it says of the rest."""

from __future__ import annotations

from itertools import pairwise

from streams.bench.load import LOADS, Load
from streams.bench.plan import BRIEFLY, NOT_ASKED, plan_of, without
from streams.bench.subjects import SUBJECTS, WORDS, missing

SIZES = Load(people=10_000, edits=10_000)
OTHERS = tuple(name for name in LOADS if name != "steady")


def here(*names: str) -> tuple[str, ...]:
    """Of these, those that can be measured."""
    return tuple(name for name in WORDS if name in names and missing(name) is None)


def test_by_default_the_steady_load_is_measured_of_everybody_and_the_others_of_the_worker() -> None:
    """Fewer edits for the others; each that is left out has its line."""
    plan = plan_of(SIZES)
    assert [load.name for load in plan.loads] == list(LOADS)
    assert plan.measured["steady"] == here(*WORDS)
    assert all(plan.measured[name] == here(*BRIEFLY) for name in OTHERS)
    assert all(load.edits < SIZES.edits for load in plan.loads[1:])
    for name in LOADS:
        assert {*plan.measured[name], *plan.notes[name]} == set(WORDS)
        assert not {*plan.measured[name]} & {*plan.notes[name]}


def test_a_long_run_leaves_nothing_out() -> None:
    """Except for what is not there."""
    plan = plan_of(SIZES, long=True)
    assert all(load.edits == SIZES.edits for load in plan.loads)
    assert all(plan.measured[name] == here(*WORDS) for name in LOADS)


def test_loads_and_subjects_can_be_picked() -> None:
    """And nothing else is started."""
    plan = plan_of(SIZES, ("hot_person",), ("worker_memory",))
    assert [load.name for load in plan.loads] == ["hot_person"]
    assert plan.measured["hot_person"] == ("worker_memory",) and plan.subjects(plan.loads[0]) == ["worker_memory"]
    assert plan.notes["hot_person"]["quix"].startswith(NOT_ASKED)
    assert plan.notes["steady"]["worker_memory"] == f"{NOT_ASKED} --load steady"


def test_the_floor_needs_the_worker_whose_messages_it_moves() -> None:
    """Also where nobody asked for the worker: it is started, and not reported."""
    plan = plan_of(SIZES, ("steady",), ("floor",))
    assert plan.measured["steady"] == ("floor",)
    assert plan.subjects(plan.loads[0]) == ["worker_memory"]


def test_loads_of_the_same_people_stand_together() -> None:
    """A subject is stopped when no later load wants its people, and would otherwise bring them to rest again."""
    worlds = [(load.people, load.fields) for load in plan_of(SIZES).loads]
    assert len({*worlds}) == 1 + sum(before != after for before, after in pairwise(worlds))


def test_no_load_has_more_edits_than_people() -> None:
    """However small the sizes, and for the slow subjects too."""
    for sizes in (SIZES, Load(people=40, edits=20, fields=5), Load(people=2, edits=2), Load(people=10_000, edits=50)):
        for load in plan_of(sizes).loads:
            for sort in SUBJECTS.values():
                smaller = load.smaller(sort.smaller)
                assert 0 < smaller.edits <= smaller.people


def test_a_run_without_rates_says_why() -> None:
    """For every load and everything that could be measured."""
    plan = without(plan_of(SIZES), "because")
    assert plan.loads == [] and plan.notes == {name: dict.fromkeys(WORDS, "because") for name in LOADS}
