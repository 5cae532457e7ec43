"""What carries commands to the systems and answers back: at least once, each person's commands of a lane in order, never in a hurry.

An applier dies and starts over, goes back to what it had done long ago, and is left by a system without a word as to whether it
wrote: then that person's commands wait until it can be read off the record, a day later.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

import msgspec

from schemas.vocabulary import DYNAMICS, MARKETO, Lane, System
from streams.demo import dynamics_applier, marketo_applier
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.simulation.profiles import Faults
from tests.simulation.telling import told_command, told_result

ENDS_NOTHING = ("created", "superseded")
DONE_MAX = 6
"""Commands of a queue to which an applier may go back."""

Queue = tuple[System, Lane, str]


class Appliers:
    """Both systems' appliers, with the commands that wait for them.

    `ready`: queues with something to do; `unknown`: those that wait to learn what became of their first command.
    """

    def __init__(self, marketo: SimulatedMarketo, dynamics: SimulatedDynamics, rng: random.Random) -> None:
        self.marketo, self.dynamics, self.random = marketo, dynamics, rng
        self.ready: dict[Queue, None] = {}
        self.unknown: dict[Queue, None] = {}
        self.answered: deque[ApplyResult] = deque(maxlen=DONE_MAX)
        self._waiting: dict[Queue, deque[ApplyCommand]] = {}
        self._done: dict[Queue, deque[ApplyCommand]] = {}

    def send(self, command: ApplyCommand) -> None:
        """A command lands on its topic."""
        queue = (command.system, command.lane, command.person_key)
        self._waiting.setdefault(queue, deque()).append(command)
        if queue not in self.unknown:
            self.ready[queue] = None

    def work(self, queue: Queue, now: float, faults: Faults) -> tuple[str, list[ApplyResult]]:
        """The next command of a queue, and its answers; the applier may die on the way and start over."""
        chance, command = self.random.random, self._waiting[queue][0]
        dies = chance() < faults.announced_only and command.system == DYNAMICS
        if dies and dynamics_applier.announce(self.dynamics, command, now):
            return f"announces {command.key} and dies", []
        if chance() < faults.unknown:
            return self._lose_sight(queue, command, now), []
        result = self._apply(command, now)
        if faults.misreported and result is not None and result.answer == "created" and chance() < faults.misreported:
            result = msgspec.structs.replace(result, answer="refused", code="misreported")
        story = f"applies {told_command(command)} -> {'landed' if result is None else told_result(result)}"
        if chance() < faults.again:
            return f"{story}, dies before it answers", []
        self._finish(queue, command)
        if result is None or (result.answer in ENDS_NOTHING and chance() < faults.unanswered):
            return story, []
        self.answered.append(result)
        return story, [result] * (2 if chance() < faults.answered_twice else 1)

    def learn(self) -> None:
        """A day has passed: what became of the lost ones can be read off the records now."""
        self.ready |= self.unknown
        self.unknown.clear()

    def rewind(self) -> str:
        """An applier goes back to an older place: it will do again, in their order, the last ones that it had done."""
        queue = self.random.choice([queue for queue in self._done if queue not in self.unknown])
        done = self._done[queue]
        count = self.random.randint(1, len(done))
        again = [done.pop() for _ in range(count)]  # the last one first
        self._waiting.setdefault(queue, deque()).extendleft(again)
        self.ready[queue] = None
        if not done:
            del self._done[queue]
        return f"{queue[0]}'s applier goes back: {', '.join(map(told_command, reversed(again)))}"

    def can_rewind(self) -> bool:
        """Whether anything was done."""
        return any(queue not in self.unknown for queue in self._done)

    def late(self) -> Sequence[ApplyCommand]:
        """Writes to Marketo that may yet come through: their applier had read the revision long before."""
        return [
            command
            for (system, _, _), done in self._done.items()
            if system == MARKETO
            for command in done
            if command.operation == "update"
            and command.record is not None
            and command.record.id in self.marketo.records
        ]

    def write_late(self, now: float) -> str:
        """A write to Marketo that was given up for lost comes through."""
        command = self.random.choice(self.late())
        done = self._done[command.system, command.lane, command.person_key]
        done.remove(command)
        if not done:
            del self._done[command.system, command.lane, command.person_key]
        marketo_applier.apply(self.marketo, command, now, late=True)
        return f"a late write comes through: {told_command(command)}"

    def _lose_sight(self, queue: Queue, command: ApplyCommand, now: float) -> str:
        """The system does not answer; it may have written all the same."""
        self.unknown[queue] = None
        self.ready.pop(queue)
        if self.random.random() < 0.5:
            return f"is left without an answer, and nothing came of it: {told_command(command)}"
        self._apply(command, now)
        return f"is left without an answer, though it came through: {told_command(command)}"

    def _apply(self, command: ApplyCommand, now: float) -> ApplyResult | None:
        if command.system == MARKETO:
            return marketo_applier.apply(self.marketo, command, now)
        return dynamics_applier.apply(self.dynamics, command, now)

    def _finish(self, queue: Queue, command: ApplyCommand) -> None:
        self._waiting[queue].popleft()
        self._done.setdefault(queue, deque(maxlen=DONE_MAX)).append(command)
        if not self._waiting[queue]:
            del self._waiting[queue]
            self.ready.pop(queue)
