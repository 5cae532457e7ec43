"""Commands that Dynamics forbids (403), or breaks over (5xx, no answer), for one record: they wait, with what follows of their person.

The others go on. How far a lane has come is not committed while one waits, so a restart gives them all again, and what was done
by then is found done. Where too many wait, it is no matter of single records any more: then the lane waits with them.
(Design, "Validation": 401, 403 and 5xx are the applier's to wait out, and other people are not held up.)
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from streams.connectors.dynamics.calling import told
from streams.connectors.dynamics.verdict import may_pass
from streams.connectors.journal import Entry
from streams.connectors.known import KnownRecords
from streams.connectors.rest import CallFailed, OutcomeUnknown, Refused
from streams.sync.messages import ApplyCommand

log = logging.getLogger(__name__)

WAITING_MAX = 500


@dataclass(frozen=True)
class Unfinished(Entry):
    """An entry of a lane that says nothing of how far the lane has come: a command that stands before its end waits."""

    def now(self, known: KnownRecords) -> Entry:
        """Without the lane's offsets."""
        return replace(super().now(known), offsets={})


class Waiting:
    """Queues of commands, by person. `some` is set while there are any."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._queues: dict[str, deque[ApplyCommand]] = {}
        self._in_vain: set[str] = set()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def take_behind(self, command: ApplyCommand) -> bool:
        """Whether it waits now, since one of its person does: it must not overtake that."""
        queue = self._queues.get(command.person_key)
        if queue is not None:
            queue.append(command)
        return queue is not None

    def has(self, command: ApplyCommand) -> bool:
        """Whether it has waited, and is tried again now: whoever else is of its person stands behind it."""
        return command.person_key in self._queues

    def take(self, command: ApplyCommand, error: CallFailed | None) -> bool:
        """Whether it waits now. `error`: of its own call, where that says nothing for good. False: otherwise, or where too many wait."""
        if not isinstance(error, OutcomeUnknown) and not (isinstance(error, Refused) and may_pass(error)):
            return False
        if command.person_key in self._queues:  # it was tried again
            self._in_vain.add(command.command_id)
            return True
        if len(self) >= WAITING_MAX:
            return False
        log.warning("Dynamics, %s %s: %s; it waits, the others go on", *_named(command), told(error))
        self._queues[command.person_key] = deque([command])
        self.some.set()
        return True

    def persons(self) -> set[str]:
        """Whose commands wait."""
        return {*self._queues}

    def first_of_each(self, persons: set[str]) -> list[ApplyCommand]:
        """What is tried again now. It waits until `forget_done`, so that nobody takes its lane to be further than it is."""
        self._in_vain.clear()
        return [self._queues[person][0] for person in persons]

    def forget_done(self, tried: Iterable[ApplyCommand]) -> None:
        """Those that were not taken again are done."""
        for command in tried:
            if command.command_id not in self._in_vain:
                self._queues[command.person_key].popleft()
        self._queues = {person: queue for person, queue in self._queues.items() if queue}
        if not self._queues:
            self.some.clear()


def _named(command: ApplyCommand) -> tuple[str, str]:
    record = command.record
    return (command.operation, "" if record is None else record.id)
