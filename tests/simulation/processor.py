"""Intake and sync as the shell runs them, without Kafka: topics are queues, a batch is one transaction.

What a batch causes (outputs, states, links and the place up to which it has read) takes effect together or not at all, so a
crash at any await of the shell is one of two things: before the commit nothing has happened, after it everything has, and
whoever takes over starts from what was committed. States are kept as bytes, as in the table, and read back each time.
"""

from __future__ import annotations

from collections import defaultdict, deque

from schemas.vocabulary import System
from streams.demo.record import Published
from streams.intake import resolve_change, resolve_result
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange
from streams.sync.person import PersonState, decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step


class Processor:
    """The topics and tables between the two systems.

    `sources`: per stream, what was published and not yet taken in; `results` and `changes` likewise per person.
    `folded`, `commands`, `activities`: everything that ever was, per person, for the laws.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.sources: dict[tuple[System, str], deque[Published]] = {}
        self.results: dict[str, deque[ApplyResult]] = {}
        self.changes: dict[str, deque[PersonChange]] = {}
        self.links: dict[tuple[System, str], str] = {}
        self.states: dict[str, bytes] = {}
        self.folded: dict[str, list[PersonChange]] = defaultdict(list)
        self.commands: dict[str, list[tuple[int, ApplyCommand]]] = defaultdict(
            list
        )  # with the number of changes folded
        self.activities: dict[str, list[Activity]] = defaultdict(list)

    def publish(self, published: Published) -> None:
        """A change lands on its system's topic."""
        key = (published.change.record.system, published.stream)
        self.sources.setdefault(key, deque()).append(published)

    def answer(self, result: ApplyResult) -> None:
        """A result lands on its topic."""
        self.results.setdefault(result.person_key, deque()).append(result)

    def take_in_change(self, key: tuple[System, str], count: int, crash: bool) -> list[PersonChange]:
        """Intake reads a batch of one stream. A crash before the commit leaves everything as it was."""
        waiting, learned = self.sources[key], self.links.get(key)
        batch = [waiting[place] for place in range(min(count, len(waiting)))]
        resolved: list[PersonChange] = []
        for published in batch:
            changes, learned = resolve_change(published.stream, published.change, learned, self.policy)
            resolved += changes
        if crash:
            return []
        if learned is not None:
            self.links[key] = learned
        self._commit(self.sources, key, len(batch))
        self._log(resolved)
        return resolved

    def take_in_result(self, person_key: str, crash: bool) -> list[PersonChange]:
        """Intake reads a result."""
        resolved = [resolve_result(self.results[person_key][0], self.policy)]
        if crash:
            return []
        self._commit(self.results, person_key, 1)
        self._log(resolved)
        return resolved

    def fold(self, person_key: str, count: int, crash: bool) -> list[ApplyCommand]:
        """Sync folds a batch of one person and commits state, commands and activities together."""
        waiting, stored = self.changes[person_key], self.states.get(person_key)
        batch = [waiting[place] for place in range(min(count, len(waiting)))]
        state = None if stored is None else decode_person(stored)
        commands: list[tuple[int, ApplyCommand]] = []
        activities: list[Activity] = []
        done = len(self.folded[person_key])
        for number, change in enumerate(batch, done):
            outcome = step(state, change, self.policy)
            state = outcome.state
            commands += [(number, command) for command in outcome.commands]
            activities += outcome.activities
        if crash:
            return []
        if state is not None:
            self.states[person_key] = encode_person(state)
        self._commit(self.changes, person_key, len(batch))
        self.folded[person_key] += batch
        self.commands[person_key] += commands
        self.activities[person_key] += activities
        return [command for _, command in commands]

    def state(self, person_key: str) -> PersonState | None:
        """The committed state of a person."""
        stored = self.states.get(person_key)
        return None if stored is None else decode_person(stored)

    def _log(self, changes: list[PersonChange]) -> None:
        for change in changes:
            self.changes.setdefault(change.person_key, deque()).append(change)

    @staticmethod
    def _commit(queues: dict, key: object, count: int) -> None:  # type: ignore[type-arg]
        queue = queues[key]
        for _ in range(count):
            queue.popleft()
        if not queue:
            del queues[key]
