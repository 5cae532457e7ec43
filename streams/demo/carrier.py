"""What carries commands to the systems and answers back, as badly as the contracts allow.

A command is applied after a latency, one after the other for a person and system (mostly). Now and then it is applied
twice, its outcome stays unknown until the applier has looked again, a create breaks off between its two halves, an answer comes late or
twice, a write to Marketo passes the look at the revision and comes in long after its time. Time and chance come in as arguments.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import NamedTuple

from schemas.vocabulary import MARKETO, System
from streams.demo import dynamics_applier, marketo_applier
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.sync.messages import ApplyCommand, ApplyResult


@dataclass(frozen=True)
class Faults:
    """How long things take (seconds, from and to) and how often what goes wrong (shares between 0 and 1)."""

    latency_seconds: tuple[float, float] = (0.02, 0.3)
    background_seconds: tuple[float, float] = (0.3, 1.0)
    late_seconds: tuple[float, float] = (0.2, 1.2)
    out_of_order: float = 0.03
    applied_twice: float = 0.03
    outcome_unknown: float = 0.03
    broken_off: float = 0.03
    stale_write: float = 0.005
    answered_late: float = 0.05
    answered_twice: float = 0.03


class Step(Enum):
    """What is done with a command."""

    APPLY = auto()
    APPLY_UNANSWERED = auto()
    APPLY_STALE = auto()
    ANNOUNCE = auto()
    ANSWER = auto()


class Due(NamedTuple):
    """Something to be done at a time; `number` keeps what is due at once in order."""

    at: float
    number: int
    step: Step
    command: ApplyCommand
    result: ApplyResult | None = None


class Carrier:
    """Between the commands' topics and the systems. `run` does what is due and gives the answers to send."""

    def __init__(
        self, marketo: SimulatedMarketo, dynamics: SimulatedDynamics, rng: random.Random, faults: Faults | None = None
    ) -> None:
        self.applied = 0
        self._marketo, self._dynamics, self._random, self._faults = marketo, dynamics, rng, faults or Faults()
        self._due: list[Due] = []
        self._numbers = count()
        self._free_at: dict[tuple[str, System], float] = {}

    @property
    def waiting(self) -> int:
        """Commands and answers on their way."""
        return len(self._due)

    def take(self, command: ApplyCommand, now: float) -> None:
        """A command has come."""
        faults, chance = self._faults, self._random.random
        at = self._free(command, now)
        if chance() < faults.outcome_unknown:
            self._put(at, Step.APPLY_UNANSWERED, command)
            at += self._late()
        elif command.operation == "create" and chance() < faults.broken_off:
            self._put(at, Step.ANNOUNCE, command)
            at += self._late()
        self._put(at, Step.APPLY, command)
        if chance() < faults.applied_twice:
            self._put(at + self._late(), Step.APPLY, command)
        if chance() < faults.stale_write and command.system == MARKETO:
            self._put(at + self._late(), Step.APPLY_STALE, command)

    def run(self, now: float) -> Iterator[ApplyResult]:
        """Do what is due."""
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            if due.result is not None:
                yield due.result
            elif due.step is Step.ANNOUNCE:
                self._announce(due.command, now)
            else:
                self._answer(due.step, self._apply(due, now), due.command, now)

    def _free(self, command: ApplyCommand, now: float) -> float:
        """When the command is applied: after those before it, unless it overtakes."""
        faults, who = self._faults, (command.person_key, command.system)
        at = now + self._random.uniform(
            *(faults.latency_seconds if command.lane == "first" else faults.background_seconds)
        )
        if self._random.random() >= faults.out_of_order:
            at = max(at, self._free_at.get(who, 0.0))
            self._free_at[who] = at
        return at

    def _announce(self, command: ApplyCommand, now: float) -> None:
        if command.system != MARKETO:
            dynamics_applier.announce(self._dynamics, command, now)

    def _apply(self, due: Due, now: float) -> ApplyResult | None:
        self.applied += 1
        if due.command.system == MARKETO:
            return marketo_applier.apply(self._marketo, due.command, now, late=due.step is Step.APPLY_STALE)
        return dynamics_applier.apply(self._dynamics, due.command, now)

    def _answer(self, step: Step, result: ApplyResult | None, command: ApplyCommand, now: float) -> None:
        if result is None or step is Step.APPLY_UNANSWERED:
            return
        faults, chance = self._faults, self._random.random
        at = now + (self._late() if chance() < faults.answered_late else 0.0)
        self._put(at, Step.ANSWER, command, result)
        if chance() < faults.answered_twice:
            self._put(at + self._late(), Step.ANSWER, command, result)

    def _late(self) -> float:
        return self._random.uniform(*self._faults.late_seconds)

    def _put(self, at: float, step: Step, command: ApplyCommand, result: ApplyResult | None = None) -> None:
        heapq.heappush(self._due, Due(at, next(self._numbers), step, command, result))
