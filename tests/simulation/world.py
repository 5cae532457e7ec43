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
from streams.codec import decode_person_change
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.entering import Inventor
from streams.demo.marketo import SimulatedMarketo
from streams.demo.oracle.follow import Oracle
from streams.demo.record import HeldRecord, Published
from streams.demo.saving import Saving, lowered, raised
from streams.demo.stock import stock_saving
from streams.sync.messages import Value
from streams.sync.person import PersonState
from streams.sync.policy import Policy
from streams.sync.step import step
from tests.simulation.appliers import Appliers
from tests.simulation.blindness import answered_blindly, without_our_fields
from tests.simulation.findings import Finding
from tests.simulation.judging import judged
from tests.simulation.laws import broken_laws
from tests.simulation.people import WildCrowd
from tests.simulation.processor import PERSON_CHANGES, Handled, Place, Processor
from tests.simulation.profiles import NO_FAULTS, Profile
from tests.simulation.small_policy import policy_named
from tests.simulation.telling import told_activity, told_change, told_command, told_heading, told_result

BEGINNING = 1_790_000_000.0
STEP_SECONDS = 0.7
STEPS_MAX = 20_000
BATCH_MAX = 4
REPEATED_MAX = 4
MEMORY_MAX = 8
ZOMBIES_MAX = 2
LATE_UPSETS_MAX = 3
DAY_SECONDS = 86_400
BLIND: tuple[tuple[System, ...], ...] = ((MARKETO,), (DYNAMICS,), (MARKETO, DYNAMICS))
PARTITIONS = (1, 2, 64)
"""Of every topic: all persons in one, in two, hardly ever two in one."""

Trace = Callable[[str], None]


class World:
    """One seed's history. `run` gives what is wrong with it.

    `moves` says what happens next, a method's name, and `do` lets it happen; so that the same moves, or fewer, can be made again.
    """

    def __init__(
        self, seed: int, profile: Profile, trace: Trace | None = None, chance: random.Random | None = None
    ) -> None:
        self.random, self.profile, self.trace = chance or chance_of(seed, profile), profile, trace
        self.policy: Policy = policy_named(self.random.choice(profile.policies))
        saving = _saving(self.policy, profile)
        self.oracle = Oracle(self.policy, saving)
        self.marketo = SimulatedMarketo(self.policy, self.random, saving[MARKETO], self.oracle)
        self.dynamics = SimulatedDynamics(self.policy, self.random, saving[DYNAMICS], self.oracle)
        inventor = Inventor(self.policy, self.random, saving, profile.mix.spoiled, profile.few_values)
        self.crowd = WildCrowd(
            self.policy, self.marketo, self.dynamics, self.oracle, inventor, profile.mix, self.random
        )
        self.appliers = Appliers(self.marketo, self.dynamics, self.random)
        self.processor = Processor(self.policy, self.random.choice(PARTITIONS))
        self.now, self.steps, self.faults = BEGINNING, 0, NO_FAULTS
        self._newest: HeldRecord | None = None
        self._memory: dict[tuple[System, str], list[Published]] = {}
        self._zombies: list[Handled] = []
        self._blind = self.random.choice(BLIND) if profile.blind else ()
        self._speed = [10 ** self.random.uniform(*SPEEDS.get(part, (-1, 1))) for part in PARTS]

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
        yield from self._living(0, self.random.randint(0, LATE_UPSETS_MAX))

    def running_out(self) -> Iterator[str]:
        """One part after another, until nothing is left to do: no chance in it."""
        while moves := [part for part, can in PARTS.items() if can(self)]:
            yield from (move for move in moves if self.can(move))

    def do(self, move: str) -> None:
        """Let it happen."""
        self.steps += 1
        self.now += STEP_SECONDS
        getattr(self, move)()

    def can(self, move: str) -> bool:
        """Whether there is anything to do for this part of the world."""
        can = PARTS.get(move) or UPSETS.get(move)
        return can is None or bool(can(self))

    def _living(self, actions: int, upsets: int = 0) -> Iterator[str]:
        """Until the people have done so many things and nothing is left to do. Upsets come while people act, and so many later."""
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
            if (actions or upsets) and self.random.random() < self.faults.upsets:
                upsets -= not actions
                possible = [upset for upset, can in UPSETS.items() if can(self)]
                if possible:
                    yield self.random.choice(possible)

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
        for story in self.crowd.correct(0.5, self.now):
            self._tell(story)
        column = self.policy.filter_column or ""
        for held in list(self.dynamics.records.values()):
            if held.state == "open" and held.values.get(column) is False and self.random.random() < 0.5:
                self._tell(self.crowd.let_in(held, True, self.now))

    def act(self) -> None:
        """Somebody does something."""
        self._tell(self.crowd.act(self.now))
        if self.profile.judge == "links":
            self.announce()  # who links two records writes it into their streams then and there

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
        queue = self.random.choice(list(self.appliers.ready))
        story, results = self.appliers.work(queue, self.now, self.faults)
        self._tell(f"{queue[0]}'s applier {story}")
        self.announce()
        for result in results:
            self.processor.answer(result if result.system not in self._blind else answered_blindly(result))

    def a_day_passes(self) -> None:
        """What became of lost writes can be read off the records."""
        self.now += DAY_SECONDS
        self.appliers.learn()
        self._tell("a day passes")

    def take_in(self) -> None:
        """Intake takes a batch of changes."""
        self._batch(self.processor.sources, self.random.randint(1, BATCH_MAX))

    def take_in_result(self) -> None:
        """Intake takes a batch of results."""
        self._batch(self.processor.results, self.random.randint(1, BATCH_MAX))

    def fold(self) -> None:
        """Sync folds a batch."""
        self._batch(self.processor.changes, self.random.randint(1, BATCH_MAX))

    def _batch(self, places: Mapping[Place, None], count: int) -> None:
        place = self.random.choice(list(places))
        handled = self.processor.handle(place, count)
        if self.random.random() < self.faults.crashes:
            self.processor.take_over(place)
            self._tell(f"a worker dies over {len(handled.records)} records of {place.topic}")
            return
        self._commit(handled)

    def _commit(self, handled: Handled) -> None:
        told = list(self._told_batch(handled)) if self.trace is not None else []
        commands = self.processor.commit(handled)
        if commands is None:
            self._tell(f"a zombie is refused over {len(handled.records)} records of {handled.place.topic}")
            return
        for line in told:
            self._tell(line)
        for command in commands:
            self.appliers.send(command)

    def a_worker_freezes(self) -> None:
        """It has computed a batch; another worker gets the partition."""
        places = [*self.processor.sources, *self.processor.results, *self.processor.changes]
        handled = self.processor.handle(self.random.choice(places), self.random.randint(1, BATCH_MAX))
        self.processor.take_over(handled.place)
        self._zombies.append(handled)
        self._tell(f"a worker freezes over {len(handled.records)} records of {handled.place.topic}")

    def a_zombie_wakes_up(self) -> None:
        """It goes on where it stopped, and knows nothing of what others did meanwhile."""
        self._commit(self._zombies.pop(self.random.randrange(len(self._zombies))))

    def rewind(self) -> None:
        """An applier does again what it did long ago."""
        self._tell(self.appliers.rewind())

    def write_late(self) -> None:
        """A write to Marketo slips in long after it was given up."""
        self._tell(self.appliers.write_late(self.now))

    def answer_again(self) -> None:
        """An old answer comes once more."""
        result = self.random.choice(self.appliers.answered)
        self._tell(f"once more it is answered: {told_result(result)}")
        self.processor.answer(result)

    def publish_again(self) -> None:
        """A producer starts again from an older place of a stream."""
        memory = self.random.choice(list(self._memory.values()))
        again = memory[-self.random.randint(1, len(memory)) :]
        self._tell(f"published again: {len(again)} of {again[0].change.record.id}")
        for published in again:
            self.processor.publish(published)

    def read_all_again(self) -> None:
        """Change tracking has lost its place: Dynamics is read as a whole."""
        self._tell("Dynamics is read as a whole")
        self.dynamics.unread |= dict.fromkeys(self.dynamics.records)

    def announce(self) -> None:
        """What people asked for reaches the streams."""
        for system in (self.marketo, self.dynamics):
            while system.announced:
                self._publish(system.announced.popleft())

    def _publish(self, published: Published) -> None:
        """A change lands; its producer, unsure of it, may publish a run of the last ones again."""
        if published.change.record.system in self._blind:
            published = without_our_fields(published)
        self.processor.publish(published)
        memory = self._memory.setdefault((published.change.record.system, published.stream), [])
        memory.append(published)
        del memory[:-MEMORY_MAX]
        if self.random.random() < self.faults.repeats:
            for again in memory[-self.random.randint(1, REPEATED_MAX) :]:
                self.processor.publish(again)

    def verdict(self) -> list[Finding]:
        """What is wrong, now that nothing is left to do."""
        return judged(self) + broken_laws(self)

    def never_quiet(self) -> Finding:
        """It did not come to rest."""
        left = [part for part, can in PARTS.items() if can(self)]
        return Finding("never quiet", f"never quiet: still {', '.join(left)}")

    def _tell(self, story: str | None) -> None:
        if self.trace is not None and story:
            self.trace(f"{self.steps:5} {story}")

    def _tell_new(self, who: str, held: HeldRecord) -> None:
        self._tell(f"{who} creates {held.record.type} {held.id} {held.values}")

    def _told_batch(self, handled: Handled) -> Iterator[str]:
        """What a batch is about to do, change by change; a zombie's may not come to pass."""
        if self.processor.is_fenced(handled):
            return
        if handled.place.topic == PERSON_CHANGES:
            yield from self._told_folding(handled)
            return
        for output in handled.result.outputs:
            if output.topic == PERSON_CHANGES:
                yield f"  intake: {told_heading(decode_person_change(output.value))}"
            else:
                yield f"  to {output.topic}: {output.value!r}"

    def _told_folding(self, handled: Handled) -> Iterator[str]:
        states: dict[str, PersonState | None] = {}
        for record in handled.records:
            change = decode_person_change(record.value)
            key = change.person_key
            outcome = step(states[key] if key in states else self.processor.state(key), change, self.policy)
            states[key] = outcome.state
            yield f"  folded: {told_change(change)}{'' if outcome.effect == 'folded' else f' ({outcome.effect})'}"
            yield from (f"    => {told_command(command)}" for command in outcome.commands)
            yield from (f"    == {told_activity(activity)}" for activity in outcome.activities)


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
    "apply": lambda world: world.appliers.ready,
    "take_in": lambda world: world.processor.sources,
    "take_in_result": lambda world: world.processor.results,
    "fold": lambda world: world.processor.changes,
    "a_day_passes": lambda world: world.appliers.unknown,
}
"""What can happen by itself, and whether it can happen now."""

SPEEDS: Mapping[str, tuple[float, float]] = {"a_day_passes": (-3, -2)}
"""How quick a part is, between these powers of ten; others differ by a hundred times at most."""

UPSETS: Mapping[str, Callable[[World], object]] = {
    "a_worker_freezes": lambda world: (
        len(world._zombies) < ZOMBIES_MAX
        and (world.processor.sources or world.processor.results or world.processor.changes)
    ),
    "a_zombie_wakes_up": lambda world: world._zombies,
    "rewind": lambda world: world.appliers.can_rewind(),
    "write_late": lambda world: world.appliers.late(),
    "answer_again": lambda world: world.appliers.answered,
    "publish_again": lambda world: world._memory,
    "read_all_again": lambda world: world.dynamics.records,
}
"""What goes wrong now and then, and whether it can now."""
