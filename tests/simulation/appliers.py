"""What carries commands to the systems and answers back: at least once, each person's commands of a lane in order, never in a hurry."""

from __future__ import annotations

import random
from collections import deque

from schemas.vocabulary import DYNAMICS, MARKETO, Lane, System
from streams.demo import dynamics_applier, marketo_applier
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.simulation.profiles import Faults
from tests.simulation.telling import told_command, told_result

ENDS_NOTHING = ("created", "superseded")
OLD_COMMANDS_MAX = 8

Queue = tuple[System, Lane, str]


class Appliers:
    """Both systems' appliers, with the commands that wait for them."""

    def __init__(self, marketo: SimulatedMarketo, dynamics: SimulatedDynamics, rng: random.Random) -> None:
        self.marketo, self.dynamics, self.random = marketo, dynamics, rng
        self.waiting: dict[Queue, deque[ApplyCommand]] = {}
        self._old: deque[ApplyCommand] = deque(maxlen=OLD_COMMANDS_MAX)

    def send(self, command: ApplyCommand) -> None:
        """A command lands on its topic."""
        key = (command.system, command.lane, command.person_key)
        self.waiting.setdefault(key, deque()).append(command)

    def work(self, key: Queue, now: float, faults: Faults) -> tuple[str, list[ApplyResult]]:
        """The next command of a queue, and its answers; the applier may die on the way and start over."""
        chance, command = self.random.random, self.waiting[key][0]
        dies = chance() < faults.announced_only and command.system == DYNAMICS
        if dies and dynamics_applier.announce(self.dynamics, command, now):
            return f"announces {command.key} and dies", []
        result = self._apply(command, now)
        story = f"applies {told_command(command)} -> {'landed' if result is None else told_result(result)}"
        if chance() < faults.again:
            return f"{story}, dies before it answers", []
        self._done(key)
        self._old.append(command)
        if result is None or (result.answer in ENDS_NOTHING and chance() < faults.unanswered):
            return story, []
        return story, [result] * (2 if chance() < faults.answered_twice else 1)

    def write_late(self, now: float) -> str | None:
        """A write to Marketo that was given up for lost comes through: its applier had read the revision long before."""
        updates = [c for c in self._old if c.system == MARKETO and c.operation == "update" and c.record is not None]
        updates = [c for c in updates if c.record is not None and c.record.id in self.marketo.records]
        if not updates:
            return None
        command = self.random.choice(updates)
        self._old.remove(command)
        marketo_applier.apply(self.marketo, command, now, late=True)
        return f"a late write comes through: {told_command(command)}"

    def _apply(self, command: ApplyCommand, now: float) -> ApplyResult | None:
        if command.system == MARKETO:
            return marketo_applier.apply(self.marketo, command, now)
        return dynamics_applier.apply(self.dynamics, command, now)

    def _done(self, key: Queue) -> None:
        self.waiting[key].popleft()
        if not self.waiting[key]:
            del self.waiting[key]
