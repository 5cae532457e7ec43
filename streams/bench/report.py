"""What the rounds say: medians, as one JSON object. Keys and types stay; what was not measured is null, with a note why."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from streams.bench.cost import Cost
from streams.bench.load import LOADS, STEADY, Load
from streams.bench.plan import Plan
from streams.bench.play import Part, Round
from streams.bench.rounds import Measured
from streams.bench.subjects import ROCKSDB, SUBJECTS, WORDS, WORKER, sizes_of

FLOOR = (WORKER, "floor")
RATIOS = (FLOOR, (WORKER, "plain_faust"), (WORKER, "quix"), (ROCKSDB, WORKER))
"""Of whose rate per CPU-second the first is so many times the second's."""


def summary(plan: Plan, measured: Measured) -> dict[str, Any]:
    """The steady load, the others under `loads`, and what idle subjects cost."""
    of = {name: _of_load(plan.sizes[name], plan.notes[name], measured.rounds.get(name, ())) for name in LOADS}
    return {
        **of.pop(STEADY),
        "loads": of,
        "idle_cpu_share": {name: _share(measured.idle.get(name, Cost())) for name in SUBJECTS},
    }


def machine(kafka: str | None) -> dict[str, Any]:
    """Where this was measured. `kafka`: the version where we started the broker, else null."""
    return {"cores": os.cpu_count() or 1, "python": platform.python_version(), "kafka": kafka}


def _of_load(load: Load, notes: Mapping[str, str], rounds: Sequence[Round]) -> dict[str, Any]:
    ratios = {f"{over}/{under}": _ratio(rounds, over, under) for over, under in RATIOS}
    return {
        **{name: _rates(rounds, name) for name in WORDS},
        "ratio_per_cpu_second": ratios["/".join(FLOOR)],
        "ratios": ratios,
        "rounds": len(rounds),
        "people": load.people,
        "edits": load.edits,
        "fields": load.fields,
        "sizes": {name: _sizes(sizes_of(name, load)) for name in SUBJECTS},
        "edit_share": _edit_share(rounds),
        "per_change": _traffic(rounds),
        "notes": dict(notes),
    }


def _sizes(load: Load) -> dict[str, int]:
    return {"people": load.people, "edits": load.edits}


def _rates(rounds: Sequence[Round], name: str) -> dict[str, int] | None:
    parts = [one.parts[name] for one in rounds if name in one.parts]
    if not parts:
        return None
    return {
        "per_second": round(median(part.changes / part.cost.seconds for part in parts)),
        "per_cpu_second": round(median(map(_per_cpu_second, parts))),
    }


def _ratio(rounds: Sequence[Round], over: str, under: str) -> float | None:
    """The median of the rounds' own: both were measured side by side."""
    both = [one.parts for one in rounds if over in one.parts and under in one.parts]
    return round(median(_per_cpu_second(p[over]) / _per_cpu_second(p[under]) for p in both), 3) if both else None


def _per_cpu_second(part: Part) -> float:
    return part.changes / part.cost.cpu_seconds


def _edit_share(rounds: Sequence[Round]) -> float | None:
    """Of the largest subject: the slow ones have fewer edits, so that single changes weigh more."""
    largest = [max(one.parts.values(), key=lambda part: part.changes) for one in rounds if one.parts]
    return round(median(part.edits / part.changes for part in largest), 3) if largest else None


def _traffic(rounds: Sequence[Round]) -> dict[str, float] | None:
    """What the floor moved, which is what the worker moved."""
    with_floor = [one for one in rounds if "floor" in one.parts]
    if not with_floor:
        return None

    def per_change(of: Callable[[Round], int]) -> float:
        return median(of(one) / one.parts["floor"].changes for one in with_floor)

    return {
        "messages_read": round(per_change(lambda one: one.read.messages), 2),
        "bytes_read": round(per_change(lambda one: one.read.bytes)),
        "messages_written": round(per_change(lambda one: one.written.messages), 2),
        "bytes_written": round(per_change(lambda one: one.written.bytes)),
    }


def _share(cost: Cost) -> float | None:
    return round(cost.cpu_seconds / cost.seconds, 3) if cost.seconds else None
