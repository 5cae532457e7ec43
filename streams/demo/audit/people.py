"""Sync, done again by the pure core: the event log, change by change, beside commands, activities and the table's changelog."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.vocabulary import System
from streams.codec import decode_activity, decode_apply_command, decode_person_change, encode
from streams.demo.audit.lanes import Lanes, Said, compared, lanes
from streams.demo.audit.reading import Log, digest
from streams.demo.audit.sources import Origin
from streams.demo.wire import COMMAND_TOPICS
from streams.sync.messages import Activity, ApplyCommand, PersonChange
from streams.sync.person import PersonState, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.topics import changelog_topic

ACTIVITY_LOG = "activity-log"
UNLINKED = "unlinked"


@dataclass
class Course:
    """One person's history in numbers: what `laws.py` judges."""

    changes: int = 0
    events: int = 0
    """Changes that are more than values: something that happened to a record, or an answer."""
    activities: int = 0
    commands: set[str] = field(default_factory=set)
    revisions: dict[System, int] = field(default_factory=dict)
    shown: dict[System, int] = field(default_factory=dict)
    """The highest revision that a record has shown."""


@dataclass
class People:
    """What sync must have made of the event log (`right`), and what it has (`found`)."""

    right: Lanes = field(default_factory=lanes)
    found: Lanes = field(default_factory=lanes)
    states: dict[str, PersonState] = field(default_factory=dict)
    trails: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """Digests of the states that each person went through."""
    courses: defaultdict[str, Course] = field(default_factory=lambda: defaultdict(Course))
    folded: Counter[str] = field(default_factory=Counter)
    """Changes by id; those that intake made up by itself are not among them."""
    commands: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Command ids on each topic."""
    activities: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def findings(self) -> Iterator[str]:
        """What is wrong."""
        yield from self.complaints
        yield from compared(self.right, self.found)

    def fold(self, change: PersonChange, policy: Policy) -> None:
        """The next change of a person, as the core folds it."""
        key = change.person_key
        outcome = step(self.states.get(key), change, policy)
        if change.kind != UNLINKED:
            self.folded[change.change_id] += 1
        for command in outcome.commands:
            self.right[command_topic(command), key].append(_said(command.command_id, command))
        for activity in outcome.activities:
            self.right[ACTIVITY_LOG, key].append(_said(activity.activity_id, activity))
        if outcome.state is not None:
            self.states[key] = outcome.state
            self.trails[key].append(digest(key.encode(), encode_person(outcome.state)))
        self._note(self.courses[key], change, outcome.commands)
        self.courses[key].activities += len(outcome.activities)

    def _note(self, course: Course, change: PersonChange, commands: tuple[ApplyCommand, ...]) -> None:
        course.changes += 1
        course.events += change.kind != "updated" or change.answer is not None or change.syncable is not None
        if change.revision is not None:
            course.shown[change.system] = max(course.shown.get(change.system, 0), change.revision)
        for command in commands:
            if command.command_id not in course.commands:
                self._check_revision(course, command)
            course.commands.add(command.command_id)

    def _check_revision(self, course: Course, command: ApplyCommand) -> None:
        """One more than the last; or than what the record shows, where that is more: an earlier installation wrote there."""
        last = course.revisions.get(command.system, 0)
        follows = command.revision == last + 1
        if not follows and not last < command.revision <= course.shown.get(command.system, 0) + 1:
            who = f"{command.person_key} {command.system}"
            self.complaints.append(f"{who}: revision {command.revision} follows {last}")
        course.revisions[command.system] = command.revision


async def refold_people(log: Log, policies: Mapping[str, Policy], rejected: set[Origin]) -> People:
    """Read the event log and what came of it. `rejected`: what stands in `dead-letter` instead."""
    result = People()
    async for record in log.committed(log.settings.topic("person.changes")):
        if (record.topic, record.partition, record.offset) not in rejected:
            _refold(result, record, policies)
    for name in COMMAND_TOPICS:
        async for record in log.committed(log.settings.topic(name)):
            command = decode_apply_command(record.value)
            result.commands[name][command.command_id] += 1
            _see(result, name, command.command_id, record)
    async for record in log.committed(log.settings.topic(ACTIVITY_LOG)):
        activity = decode_activity(record.value)
        result.activities[activity.activity_id] += 1
        _see(result, ACTIVITY_LOG, activity.activity_id, record)
    return result


def _refold(result: People, record: Any, policies: Mapping[str, Policy]) -> None:
    where = f"person.changes[{record.partition}]@{record.offset}"
    try:
        change = decode_person_change(record.value)
        result.fold(change, policies[change.policy])
    except Exception as error:  # a change that stands in no dead letter was folded by the workers
        result.complaints.append(f"{where}: in no dead letter, and {error}")


def _see(result: People, topic: str, message_id: str, record: Any) -> None:
    result.found[topic, record.key.decode()].append(Said(message_id, digest(record.key, record.value)))


def _said(message_id: str, message: ApplyCommand | Activity) -> Said:
    return Said(message_id, digest(message.person_key.encode(), encode(message)))


def command_topic(command: ApplyCommand) -> str:
    """Where a command stands."""
    return f"{command.system}.commands" + (".background" if command.lane == "background" else "")


async def states_written(log: Log) -> dict[str, list[bytes]]:
    """Digests of the committed writes to the table, by person."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    async for record in log.committed(changelog_topic(log.settings, "people")):
        found[record.key.decode()].append(digest(record.key, record.value))
    return found
