"""A whole run: the rates, then the other parts, each in turn; one JSON object and the tables of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from rich.table import Table

from streams.bench.failed import BenchFailed
from streams.bench.parts import PARTS, RATES, Part, Say, part_named, settings_for
from streams.bench.plan import NOT_ASKED, Plan, without
from streams.bench.report import machine, summary
from streams.bench.rounds import Measured, measure
from streams.bench.tables import tables_of
from streams.settings import Settings


class Asked(NamedTuple):
    """What is to be measured. `plan` is of the rates."""

    parts: Sequence[str]
    plan: Plan
    long: bool = False
    profile: Path | None = None


class Whole:
    """What a run found: `failed` has the last words of those parts that failed. What the others found is worth having."""

    def __init__(self, settings: Settings, say: Say, find: Callable[[str], Part | str] = part_named) -> None:
        self._settings, self._say, self._find = settings, say, find
        self.failed: dict[str, str] = {}

    async def measure(self, asked: Asked) -> dict[str, Any]:
        """The JSON object."""
        began = perf_counter()
        plan, rates = await self._rates(asked)
        found = summary(plan, rates)
        for name in PARTS:
            found[name], note = await self._part(name, asked)
            if note is not None:
                found["notes"][name] = note
        return {**found, "machine": machine(None), "seconds": round(perf_counter() - began)}

    async def _rates(self, asked: Asked) -> tuple[Plan, Measured]:
        if RATES not in asked.parts:
            return without(asked.plan, f"{NOT_ASKED} --part {RATES}"), Measured({}, {})
        try:
            return asked.plan, await measure(self._settings, asked.plan, self._say, asked.profile)
        except BenchFailed as error:
            self.failed[RATES] = str(error)
            return without(asked.plan, f"failed: {error}"), Measured({}, {})

    async def _part(self, name: str, asked: Asked) -> tuple[dict[str, Any] | None, str | None]:
        """What it found, or why nothing was."""
        if name not in asked.parts:
            return None, f"{NOT_ASKED} --part {name}"
        part = self._find(name)
        if isinstance(part, str):
            return None, part
        try:
            return await part.measure(settings_for(name, self._settings), self._say, long=asked.long), None
        except BenchFailed as error:
            self.failed[name] = str(error)
            return None, f"failed: {error}"


def absent_parts(found: Mapping[str, Any]) -> list[str]:
    """The parts that were asked for and are not there, each with why."""
    notes = {name: found["notes"].get(name, NOT_ASKED) for name in PARTS}
    return [f"{name}: {note}" for name, note in notes.items() if not note.startswith(NOT_ASKED)]


def tables_of_all(found: Mapping[str, Any], find: Callable[[str], Part | str] = part_named) -> list[Table]:
    """Everything for people."""
    parts = [(part, found[name]) for name in PARTS if not isinstance(part := find(name), str)]
    return tables_of(found) + [table for part, its in parts if its is not None for table in part.tables(its)]
