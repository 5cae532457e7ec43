"""A world: two systems, their people, appliers and the processor, joined by a scheduler that a seed makes quick here and slow there.

Each world draws how fast each part is, so that in some the feeds lag by the whole story, in others the appliers do. When people
stop, half of the broken values are corrected and half of those kept out are let in; then everything runs until nothing is left
to do, and the oracle and the laws look at what came of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, MARKETO, System
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
from streams.sync.messages import Value
from streams.sync.policy import Policy
from tests.simulation.appliers import Appliers
from tests.simulation.findings import Finding, finding
from tests.simulation.laws import broken_laws
from tests.simulation.processor import Processor
from tests.simulation.profiles import NO_FAULTS, Profile
from tests.simulation.small_policy import small_policy
from tests.simulation.telling import told_activity, told_change, told_command, told_heading

BEGINNING = 1_790_000_000.0
STEP_SECONDS = 0.7
STEPS_MAX = 20_000
BATCH_MAX = 4
MEMORY_MAX = 4

Trace = Callable[[str], None]


class World:
    """One seed's history. `run` gives what is wrong with it.

    `moves` says what happens next, `do` lets it happen; so that the same moves, or fewer, can be made again.
    """

    def __init__(
        self, seed: int, profile: Profile, trace: Trace | None = None, chance: random.Random | None = None
    ) -> None:
        self.random, self.profile, self.trace = chance or chance_of(seed, profile), profile, trace
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
        self._newest: HeldRecord | None = None
        self._memory: dict[tuple[System, str], list[Published]] = {}
        self._speed = [10 ** self.random.uniform(-1, 1) for _ in PARTS]

    def run(self) -> list[Finding]:
        """Live it; gives what is wrong at its end."""
        for move in self.moves():
            self.do(move)
            if self.steps > STEPS_MAX:
                return [self.never_quiet()]
        return self.verdict()

    def moves(self) -> Iterator[str]:
        """What happens, from the first records to the last answer."""
        yield from self.beginning()
        yield from self._living(self.random.randint(*self.profile.actions))
        yield from self.ending()

    def beginning(self) -> Iterator[str]:
        """Linked pairs come to stand, in a world without faults."""
        for _ in range(self.random.randint(*self.profile.pairs)):
            for move in STARTS[self.random.choice(self.profile.starts)](self):
                yield move
                yield from self._living(0)
        yield "things_may_go_wrong"

    def ending(self) -> Iterator[str]:
        """People stop; everything runs until nothing is left to do."""
        yield "tidy_up"
        yield from self._living(0)

    def running_out(self) -> Iterator[str]:
        """One part after another, until nothing is left to do: no chance in it."""
        while moves := [part for part, can in PARTS.items() if can(self)]:
            yield from (move for move in moves if self.can(move))

    def do(self, move: str) -> None:
        """Let it happen."""
        self.steps += 1
        self.now += STEP_SECONDS
        MOVES[move](self)

    def can(self, move: str) -> bool:
        """Whether there is anything to do for this part of the world."""
        return all(can(self) for part, can in PARTS.items() if part == move)

    def _living(self, actions: int) -> Iterator[str]:
        """Until the people have done so many things and nothing is left to do."""
        people_speed = 10 ** self.random.uniform(-1, 1)
        while True:
            parts = [(part, speed) for (part, can), speed in zip(PARTS.items(), self._speed, strict=True) if can(self)]
            if actions:
                parts.append(("act", people_speed))
            if not parts:
                return
            (part,) = self.random.choices([part for part, _ in parts], [speed for _, speed in parts])
            yield part
            actions -= part == "act"

    def things_may_go_wrong(self) -> None:
        """The pairs stand; now for the story."""
        self.faults = self.profile.faults
        self._tell("--- the story begins")

    def new_lead(self) -> None:
        """A lead made in Dynamics."""
        self._newest = self.crowd.new_in_dynamics("lead", self.now)
        self._tell_new("sales", self._newest)

    def new_contact(self) -> None:
        """A contact made in Dynamics."""
        self._newest = self.crowd.new_in_dynamics("contact", self.now)
        self._tell_new("sales", self._newest)

    def qualify_it(self) -> None:
        """The lead was qualified long ago."""
        if self._newest is not None and self.dynamics.living(self._newest.id) is not None:
            self.dynamics.qualify(self._newest.id, "sales", self.now)
            self._tell(f"sales qualifies {self._newest.id}")

    def new_person(self) -> None:
        """A person typed in in Marketo."""
        self._newest = self.crowd.new_in_marketo(self.now)
        self._tell_new("marketing", self._newest)

    def sync_it(self) -> None:
        """Sync Person makes a lead of the person."""
        if self._newest is not None and self.marketo.living(self._newest.id) is not None:
            self.marketo.request_sync(self._newest.id, "marketing", self.now)
            self._tell(f"Sync Person of {self._newest.id}")

    def new_pair(self) -> None:
        """Two records that were there before us, linked by somebody who knows; most hold the same."""
        person = self.crowd.new_in_marketo(self.now)
        lead = self.dynamics.create(
            self.random.choice(("lead", "contact")), "sales", self._same_in_dynamics(person), self.now
        )
        person_key = person_key_of(MARKETO, person.id)
        self._tell_new("marketing", person)
        self._tell_new("sales", lead)
        self.marketo.announce_link(person.id, person_key, lead.record, self.now)
        self.dynamics.announce_link(lead.id, person_key, person.record, self.now)
        self._tell(f"{person.id} and {lead.id} are linked")
        self.announce()

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

    def tidy_up(self) -> None:
        """Half of the broken values are corrected, half of those kept out are let in."""
        self.faults = replace(self.faults, late_writes=0)
        for story in self.crowd.correct(0.5, self.now):
            self._tell(story)
        column = self.policy.filter_column or ""
        for held in list(self.dynamics.records.values()):
            if held.state == "open" and held.values.get(column) is False and self.random.random() < 0.5:
                self._tell(self.crowd.let_in(held, True, self.now))

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
        self.announce()
        for result in results:
            self.processor.answer(result)

    def take_in(self) -> None:
        """Intake takes a batch of a stream."""
        key = self.random.choice(list(self.processor.sources))
        count = self.random.randint(1, BATCH_MAX)
        for change in self.processor.take_in_change(key, count, self._crashes()):
            self._tell(f"  intake: {told_heading(change)}")

    def take_in_result(self) -> None:
        """Intake takes a result."""
        person_key = self.random.choice(list(self.processor.results))
        for change in self.processor.take_in_result(person_key, self._crashes()):
            self._tell(f"  intake: {told_heading(change)}")

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

    def verdict(self) -> list[Finding]:
        """What is wrong, now that nothing is left to do."""
        if self.profile.few_values:
            return [finding(str(difference), difference.text) for difference in unequal(self.oracle)] + broken_laws(
                self
            )
        errors = {}
        for person_key in self.processor.states:
            state = self.processor.state(person_key)
            errors[person_key] = [] if state is None else [slot for slot in state.errors if slot in (MARKETO, DYNAMICS)]
        found = [finding(text, text.partition(": ")[2]) for text in self.oracle.complaints]
        found += [finding(str(each), each.text) for each in differences(self.oracle, errors)]  # type: ignore[arg-type]
        return found + broken_laws(self)

    def never_quiet(self) -> Finding:
        """It did not come to rest."""
        waiting = f"{len(self.processor.sources)} streams, {len(self.processor.changes)} persons"
        return Finding("never quiet", f"never quiet: {waiting}, {len(self.appliers.waiting)} queues")

    def _tell(self, story: str | None) -> None:
        if self.trace is not None and story:
            self.trace(f"{self.steps:5} {story}")

    def _tell_new(self, who: str, held: HeldRecord) -> None:
        self._tell(f"{who} creates {held.record.type} {held.id} {held.values}")

    def _tell_folded(self, person_key: str, before: int) -> None:
        for number, change in enumerate(self.processor.folded[person_key][before:], before):
            self._tell(f"  folded: {told_change(change)}")
            for cause, command in self.processor.commands[person_key]:
                if cause == number:
                    self._tell(f"    => {told_command(command)}")
            for activity in self.processor.activities[person_key]:
                if activity.cause == change.change_id:
                    self._tell(f"    == {told_activity(activity)}")


def chance_of(seed: int, profile: Profile) -> random.Random:
    """A world's chance."""
    return random.Random(f"{profile.name}/{seed}")


def _saving(policy: Policy, profile: Profile) -> dict[System, Saving]:
    saving = stock_saving(policy, rewriting=profile.rewriting)
    if profile.fighting:
        saving[MARKETO] = replace(saving[MARKETO], rewrites={"jobTitle": lowered})
        saving[DYNAMICS] = replace(saving[DYNAMICS], rewrites={"jobtitle": raised})
    return saving


STARTS: Mapping[str, Callable[[World], tuple[str, ...]]] = {
    "lead": lambda world: ("new_lead",),
    "contact": lambda world: ("new_contact",) if world.random.random() < 0.5 else ("new_lead", "qualify_it"),
    "synced": lambda world: ("new_person", "sync_it"),
    "bootstrapped": lambda world: ("new_pair",),
}
"""How a linked pair comes to stand: its moves, with quiet after each."""

PARTS: Mapping[str, Callable[[World], object]] = {
    "read_marketo": lambda world: world.marketo.feed,
    "read_dynamics": lambda world: world.dynamics.unread,
    "announce": lambda world: world.marketo.announced or world.dynamics.announced,
    "apply": lambda world: world.appliers.waiting,
    "take_in": lambda world: world.processor.sources,
    "take_in_result": lambda world: world.processor.results,
    "fold": lambda world: world.processor.changes,
}
"""What can happen by itself, and whether it can happen now."""

MOVES: Mapping[str, Callable[[World], None]] = {
    name: getattr(World, name)
    for name in (
        *PARTS, "act", "things_may_go_wrong", "tidy_up",
        "new_lead", "new_contact", "qualify_it", "new_person", "sync_it", "new_pair",
    )
}  # fmt: skip
"""Everything that can happen, by name."""
