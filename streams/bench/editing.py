"""Who edits what in a round, load by load."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.bench.load import Load
from streams.bench.message import Shown
from streams.bench.systems import Systems

BY_TURNS = (MARKETO, DYNAMICS)


def edits_of(load: Load, systems: Systems, round_number: int) -> Iterator[Shown]:
    """The edits of one round. They become so while they are drawn, and in this order."""
    if load.hot_share:
        return _with_a_hot_person(load, systems, round_number)
    if load.collision_share:
        return _colliding(load, systems, round_number)
    return _spread(load, systems, round_number)


def _spread(load: Load, systems: Systems, round_number: int) -> Iterator[Shown]:
    for place, person in enumerate(systems.random.sample(systems.people, load.edits)):
        rule = systems.edited[(round_number + place) % len(systems.edited)]
        yield systems.edit(person, BY_TURNS[place % 2], rule)


def _with_a_hot_person(load: Load, systems: Systems, round_number: int) -> Iterator[Shown]:
    """One person has a share of all edits, evenly among the others'; each system edits fields of its own, so none collide."""
    hot, *others = systems.people
    people = iter(systems.random.sample(others, load.edits - load.hot_edits))
    of_system = [systems.edited[::2], systems.edited[1::2]]
    turn = 0
    for place in range(load.edits):
        if _falls_here(place, load.hot_edits, load.edits):
            fields = of_system[turn % 2]
            yield systems.edit(hot, BY_TURNS[turn % 2], fields[(round_number + turn // 2) % len(fields)])
            turn += 1
        else:
            rule = systems.edited[(round_number + place) % len(systems.edited)]
            yield systems.edit(next(people), BY_TURNS[place % 2], rule)


def _colliding(load: Load, systems: Systems, round_number: int) -> Iterator[Shown]:
    """Some have one field edited in both systems: both before anything lands, so neither in sight of the other."""
    count = load.edits - load.collisions
    for place, person in enumerate(systems.random.sample(systems.people, count)):
        rule = systems.edited[(round_number + place) % len(systems.edited)]
        both = _falls_here(place, load.collisions, count)
        for system in BY_TURNS if both else (BY_TURNS[place % 2],):
            yield systems.edit(person, system, rule)


def _falls_here(place: int, count: int, places: int) -> bool:
    """Whether one of `count`, spread evenly over the places, falls on this one."""
    return place * count // places != (place + 1) * count // places
