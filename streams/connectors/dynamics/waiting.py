"""Commands that Dynamics forbids (403), or breaks over (5xx, no answer), for one record: they wait, with what follows of their person.

The others go on. How far a lane has come says which of its commands wait, so a restart gives them again, and no others. Where too
many wait, it is no matter of single records any more: then the lane waits with them.
(Design, "Validation": 401, 403 and 5xx are the applier's to wait out, and other people are not held up.)
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from streams.connectors.dynamics.calling import told
from streams.connectors.dynamics.verdict import may_pass
from streams.connectors.lanes import Given
from streams.connectors.rest import CallFailed
from streams.sync.messages import ApplyCommand

log = logging.getLogger(__name__)

WAITING_MAX = 500


class Waiting:
    """Queues of commands, by person. `some` is set while there are any. What is carried out stands between `begin` and `end`."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._at_hand: dict[str, Given] = {}
        self._queues: dict[str, deque[Given]] = {}
        self._taken: set[str] = set()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def begin(self, wave: Iterable[Given]) -> list[Given]:
        """Those that need not wait."""
        fresh = [given for given in wave if not self.put_behind(given)]
        self._at_hand |= {given.command.person_key: given for given in fresh}
        return fresh

    def put_behind(self, given: Given) -> bool:
        """Whether it waits now, behind a command of its person, which it must not overtake."""
        queue = self._queues.get(given.command.person_key)
        if queue is not None:
            queue.append(replace(given, maybe_done=True))
        return queue is not None

    def has(self, command: ApplyCommand) -> bool:
        """Whether it has waited, and is tried again now: whoever else is of its person stands behind it."""
        return command.person_key in self._queues

    def take(self, command: ApplyCommand, error: CallFailed | None) -> bool:
        """Whether it waits now. `error`: of its own call, where that says nothing for good. False: otherwise, or where too many wait."""
        if error is None or not may_pass(error):
            return False
        if command.person_key not in self._queues:
            if len(self) >= WAITING_MAX:
                return False
            log.warning("Dynamics, %s %s: %s; it waits, the others go on", *_named(command), told(error))
            self._queues[command.person_key] = deque([replace(self._at_hand[command.person_key], maybe_done=True)])
            self.some.set()
        self._taken.add(command.command_id)
        return True

    def persons(self) -> set[str]:
        """Whose commands wait."""
        return {*self._queues}

    def first_of_each(self, persons: set[str]) -> list[Given]:
        """What is tried again now."""
        return [self._queues[person][0] for person in persons]

    def end(self, tried: Iterable[Given]) -> list[Given]:
        """Those that were not taken, and so are done."""
        done = []
        for given in tried:
            person = given.command.person_key
            self._at_hand.pop(person, None)
            if given.command.command_id in self._taken:
                self._taken.remove(given.command.command_id)
                continue
            done.append(given)
            if (queue := self._queues.get(person)) is not None:
                queue.popleft()
                if not queue:
                    del self._queues[person]
        if not self._queues:
            self.some.clear()
        return done


def _named(command: ApplyCommand) -> tuple[str, str]:
    record = command.record
    return (command.operation, "" if record is None else record.id)
