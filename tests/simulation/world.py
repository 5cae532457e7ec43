"""A world: two systems, their people, appliers and the processor, joined by a scheduler that a seed makes quick here and slow there.

Each world draws how fast each part is, so that in some the feeds lag by the whole story, in others the appliers do. When people
stop, half of the broken values are corrected and half of those kept out are let in; then everything runs until nothing is left
to do, and the oracle and the laws look at what came of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.entering import Inventor
from streams.demo.marketo import SimulatedMarketo
from streams.demo.oracle.follow import Oracle
from streams.demo.oracle.verdict import differences, unequal
from streams.demo.record import HeldRecord, Published
from streams.demo.saving import Saving, lowered, raised
from streams.demo.stock import stock_saving
from streams.demo.users import Crowd
from streams.policy import default_policy
from streams.sync.messages import PersonChange, Value
from streams.sync.policy import Policy
from tests.simulation.appliers import Appliers, told
from tests.simulation.laws import broken_laws
from tests.simulation.processor import Processor
from tests.simulation.profiles import NO_FAULTS, Profile
from tests.simulation.small_policy import small_policy

BEGINNING = 1_790_000_000.0
STEP_SECONDS = 0.7
STEPS_MAX = 20_000
BATCH_MAX = 4
MEMORY_MAX = 4


class World:
    """One seed's history. `run` gives what is wrong with it."""

    def __init__(self, seed: int, profile: Profile, trace: Callable[[str], None] | None = None) -> None:
        self.random, self.profile, self.trace = random.Random(f"{profile.name}/{seed}"), profile, trace
        self.policy: Policy = default_policy() if profile.shipped else small_policy()
        saving = _saving(self.policy, profile)
        self.oracle = Oracle(self.policy, saving)
        self.marketo = SimulatedMarketo(self.policy, self.random, saving[MARKETO], self.oracle)
        self.dynamics = SimulatedDynamics(self.policy, self.random, saving[DYNAMICS], self.oracle)
        inventor = Inventor(self.policy, self.random, saving, profile.mix.spoiled, profile.few_values)
        self.crowd = Crowd(self.policy, self.marketo, self.dynamics, self.oracle, inventor, profile.mix, self.random)
        self.appliers = Appliers(self.marketo, self.dynamics, self.random)
        self.processor = Processor(self.policy)
        self.now, self.steps, self.faults = BEGINNING, 0, NO_FAULTS
        self._memory: dict[tuple[System, str], list[Published]] = {}
        self._speed = [10 ** self.random.uniform(-1, 1) for _ in _PARTS]

    def run(self) -> list[str]:
        """Live it; gives what is wrong at its end."""
        try:
            self._begin()
            self.faults = self.profile.faults
            self._live(self.random.randint(*self.profile.actions))
            self.faults = replace(self.faults, late_writes=0)
            self._tidy_up()
            self._live(0)
        except NeverQuietError:
            return [f"never quiet: {self._waiting()}"]
        return self._verdict()

    def _begin(self) -> None:
        for _ in range(self.random.randint(*self.profile.pairs)):
            _STARTS[self.random.choice(self.profile.starts)](self)
        self._tell("--- the story begins")

    def start_lead(self) -> None:
        """A lead made in Dynamics, and its Marketo person."""
        self._start_in_dynamics("lead")

    def start_contact(self) -> None:
        """A contact made in Dynamics, or a lead that was qualified long ago."""
        if self.random.random() < 0.5:
            self._start_in_dynamics("contact")
            return
        lead = self._start_in_dynamics("lead")
        self.dynamics.qualify(lead, "sales", self.now)
        self._live(0)

    def start_synced(self) -> None:
        """A Marketo person with a lead made by Sync Person."""
        held = self.crowd.new_in_marketo(self.now)
        self._live(0)
        self.marketo.request_sync(held.id, "marketing", self.now)
        self._live(0)

    def start_bootstrapped(self) -> None:
        """Two records that were there before us, linked by somebody who knows; most hold the same."""
        person = self.crowd.new_in_marketo(self.now)
        lead = self.dynamics.create(
            self.random.choice(("lead", "contact")), "sales", self._same_in_dynamics(person), self.now
        )
        person_key = person_key_of(MARKETO, person.id)
        self.marketo.announce_link(person.id, person_key, lead.record, self.now)
        self.dynamics.announce_link(lead.id, person_key, person.record, self.now)
        self._announce()

    def _start_in_dynamics(self, kind: RecordType) -> str:
        held = self.crowd.new_in_dynamics(kind, self.now)
        self._live(0)
        return held.id

    def _same_in_dynamics(self, person: HeldRecord) -> dict[str, Value]:
        """The text fields of a Marketo person under their names in Dynamics, one in ten of them with another value."""
        same: dict[str, Value] = {"subject": "Bought list"}
        for column, rule in self.policy.inbound["person"].items():
            value = person.values.get(column)
            if isinstance(value, str) and rule.lead is not None and rule.options is None:
                same[rule.lead] = (
                    value if self.random.random() < 0.9 else self.crowd.inventor.fresh(person.person_key, rule)
                )
        return same

    def _tidy_up(self) -> None:
        for story in self.crowd.correct(0.5, self.now):
            self._tell(story)
        column = self.policy.filter_column or ""
        for held in list(self.dynamics.records.values()):
            if held.state == "open" and held.values.get(column) is False and self.random.random() < 0.5:
                self._tell(self.crowd.let_in(held, True, self.now))

    def _live(self, actions: int) -> None:
        """Until the people have done so many things and nothing is left to do."""
        people_speed = 10 ** self.random.uniform(-1, 1)
        while True:
            parts = [(part, speed) for (can, part), speed in zip(_PARTS, self._speed, strict=True) if can(self)]
            if actions:
                parts.append((World.act, people_speed))
            if not parts:
                return
            (part,) = self.random.choices([part for part, _ in parts], [speed for _, speed in parts])
            self.steps += 1
            self.now += STEP_SECONDS
            if self.steps > STEPS_MAX:
                raise NeverQuietError
            part(self)
            actions -= part is World.act

    def act(self) -> None:
        """Somebody does something."""
        self._tell(self.crowd.act(self.now))
        if self.random.random() < self.faults.late_writes:
            self._tell(self.appliers.write_late(self.now))

    def read_marketo(self) -> None:
        """The feed is read: some of what it lists."""
        for _ in range(self.random.randint(1, BATCH_MAX)):
            if self.marketo.feed:
                self._publish(self.marketo.feed.popleft())

    def read_dynamics(self) -> None:
        """Change tracking is read: one record's row."""
        self.dynamics.read(self.random.choice(list(self.dynamics.unread)))
        while self.dynamics.feed:
            self._publish(self.dynamics.feed.popleft())

    def apply(self) -> None:
        """An applier works on a command."""
        queue = self.random.choice(list(self.appliers.waiting))
        story, results = self.appliers.work(queue, self.now, self.faults)
        self._tell(f"{queue[0]}'s applier {story}")
        self._announce()
        for result in results:
            self.processor.answer(result)

    def take_in(self) -> None:
        """Intake takes a batch of a stream."""
        key = self.random.choice(list(self.processor.sources))
        count = self.random.randint(1, BATCH_MAX)
        for change in self.processor.take_in_change(key, count, self._crashes()):
            self._tell_change("in", change)

    def take_in_result(self) -> None:
        """Intake takes a result."""
        person_key = self.random.choice(list(self.processor.results))
        for change in self.processor.take_in_result(person_key, self._crashes()):
            self._tell_change("in", change)

    def fold(self) -> None:
        """Sync folds a batch of a person."""
        person_key = self.random.choice(list(self.processor.changes))
        before = len(self.processor.folded[person_key])
        for command in self.processor.fold(person_key, self.random.randint(1, BATCH_MAX), self._crashes()):
            self.appliers.send(command)
        if self.trace is not None:
            self._tell_folded(person_key, before)

    def announce(self) -> None:
        """What people asked for reaches the streams."""
        self._announce()

    def _announce(self) -> None:
        for system in (self.marketo, self.dynamics):
            while system.announced:
                self._publish(system.announced.popleft())

    def _publish(self, published: Published) -> None:
        """A change lands; its producer, unsure of it, may publish a run of the last ones again."""
        self.processor.publish(published)
        memory = self._memory.setdefault((published.change.record.system, published.stream), [])
        memory.append(published)
        del memory[:-MEMORY_MAX]
        if self.random.random() < self.faults.repeats:
            for again in memory[-self.random.randint(1, MEMORY_MAX) :]:
                self.processor.publish(again)

    def _crashes(self) -> bool:
        return self.random.random() < self.faults.crashes

    def _verdict(self) -> list[str]:
        if self.profile.few_values:
            return [str(difference) for difference in unequal(self.oracle)] + broken_laws(self)
        errors = {}
        for person_key in self.processor.states:
            state = self.processor.state(person_key)
            errors[person_key] = [] if state is None else [slot for slot in state.errors if slot in (MARKETO, DYNAMICS)]
        found = [str(difference) for difference in differences(self.oracle, errors)]  # type: ignore[arg-type]
        return self.oracle.complaints + found + broken_laws(self)

    def _waiting(self) -> str:
        return f"{len(self.processor.sources)} streams, {len(self.processor.changes)} persons, {len(self.appliers.waiting)} queues"

    def _tell(self, story: str | None) -> None:
        if self.trace is not None and story:
            self.trace(f"{self.steps:5} {story}")

    def _tell_change(self, how: str, change: PersonChange) -> None:
        if self.trace is not None:
            self._tell(f"  {how} {told_change(change)}")

    def _tell_folded(self, person_key: str, before: int) -> None:
        for number, change in enumerate(self.processor.folded[person_key][before:], before):
            self._tell_change("fold", change)
            for cause, command in self.processor.commands[person_key]:
                if cause == number:
                    self._tell(f"    => {told(command)}")
            for activity in self.processor.activities[person_key]:
                if activity.cause == change.change_id:
                    what = activity.field or activity.message or ""
                    self._tell(f"    == {activity.kind} {what} {activity.marketo or ''} {activity.dynamics or ''}")


class NeverQuietError(RuntimeError):
    """The world did not come to rest."""


def told_change(change: PersonChange) -> str:
    """A change in a line."""
    words = [change.person_key[:4], change.system, change.kind]
    words += [f"{change.record.type} {change.record.id[:8]}"] if change.record is not None else []
    for name in ("version", "revision", "creation", "who", "answer", "code", "syncable"):
        value = getattr(change, name)
        words += [f"{name}={value}"] if value is not None else []
    words += [f"gone={change.gone}"] if change.answer == "gone" else []
    return " ".join(words) + (f" {dict(change.fields)}" if change.fields else "")


def _saving(policy: Policy, profile: Profile) -> dict[System, Saving]:
    saving = stock_saving(policy, rewriting=profile.rewriting)
    if profile.fighting:
        saving[MARKETO] = replace(saving[MARKETO], rewrites={"jobTitle": lowered})
        saving[DYNAMICS] = replace(saving[DYNAMICS], rewrites={"jobtitle": raised})
    return saving


_STARTS: dict[str, Callable[[World], None]] = {
    "lead": World.start_lead,
    "contact": World.start_contact,
    "synced": World.start_synced,
    "bootstrapped": World.start_bootstrapped,
}

_PARTS: tuple[tuple[Callable[[World], object], Callable[[World], None]], ...] = (
    (lambda world: world.marketo.feed, World.read_marketo),
    (lambda world: world.dynamics.unread, World.read_dynamics),
    (lambda world: world.marketo.announced or world.dynamics.announced, World.announce),
    (lambda world: world.appliers.waiting, World.apply),
    (lambda world: world.processor.sources, World.take_in),
    (lambda world: world.processor.results, World.take_in_result),
    (lambda world: world.processor.changes, World.fold),
)
"""What can happen, and whether it can happen now."""
