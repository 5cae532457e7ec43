"""What a run measures: which loads, in what sizes, of whom; and of what it does not measure, why.

By default the steady load of everybody, and the other loads of the worker and of its floor, with fewer edits: a few
minutes. `--long`: all loads of everybody in full size, and more rounds. `--load` and `--subject` pick some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from streams.bench.load import LOADS, STEADY, Load, load_named
from streams.bench.subjects import HELPED, ROCKSDB, WORDS, WORKER, missing

FEWER = 4
EDITS_MIN = 20
LONG_ROUNDS = 9
NOT_ASKED = "not asked for:"
BRIEFLY = ("floor", WORKER, ROCKSDB)
"""Of whom the loads other than the steady one are measured, unless more is asked for."""


@dataclass(frozen=True)
class Plan:
    """By the names of loads, in their order: those of the same people stand together, so that nobody is brought to rest twice."""

    sizes: Mapping[str, Load]
    measured: Mapping[str, tuple[str, ...]]  # names of WORDS
    notes: Mapping[str, Mapping[str, str]]  # by name: why that is not measured

    @property
    def loads(self) -> list[Load]:
        """Those of which anything is measured."""
        return [load for name, load in self.sizes.items() if self.measured[name]]

    def subjects(self, load: Load) -> list[str]:
        """The processes that this takes; what the helpers measure, they measure of the worker's waves."""
        names = self.measured[load.name]
        helped = any(name in HELPED for name in names)
        return [name for name in WORDS if name not in HELPED and (name in names or (helped and name == WORKER))]


def plan_of(sizes: Load, loads: Sequence[str] = (), subjects: Sequence[str] = (), *, long: bool = False) -> Plan:
    """The plan; `loads` and `subjects` empty: not picked."""
    notes = {name: {each: _why_not(name, each, loads, subjects, long=long) for each in WORDS} for name in LOADS}
    measured = {name: tuple(each for each, why in of_load.items() if why is None) for name, of_load in notes.items()}
    return Plan(
        {name: _sized(name, sizes, long=long) for name in LOADS},
        measured,
        {name: {each: why for each, why in of_load.items() if why} for name, of_load in notes.items()},
    )


def without(plan: Plan, why: str) -> Plan:
    """The same, and nothing of it is measured."""
    return Plan(plan.sizes, dict.fromkeys(LOADS, ()), {name: dict.fromkeys(WORDS, why) for name in LOADS})


def _sized(name: str, sizes: Load, *, long: bool) -> Load:
    """In a short run the other loads have fewer edits than the steady one; those of other people, fewer of them too."""
    load = load_named(name, sizes)
    if long or name == STEADY:
        return load
    fewer = replace(load, edits=_fewer(sizes.edits))
    return fewer if load.fields == sizes.fields else replace(fewer, people=_fewer(sizes.people))


def _fewer(number: int) -> int:
    return min(number, max(EDITS_MIN, number // FEWER))


def _why_not(load: str, name: str, loads: Sequence[str], subjects: Sequence[str], *, long: bool) -> str | None:
    if loads and load not in loads:
        return f"{NOT_ASKED} --load {load}"
    if subjects and name not in subjects:
        return f"{NOT_ASKED} --subject {name}"
    if not (subjects or long or load == STEADY or name in BRIEFLY):
        return "left out of a short run: --long"
    return missing(name)
