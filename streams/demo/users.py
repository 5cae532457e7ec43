"""The people who work in the two systems, simulated: marketing in Marketo, sales in Dynamics.

What they do is a table of how often; whom and which field they take follows from the seed. They know their own system only,
except where a story needs both at once: one field edited on both sides before either can have seen the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from schemas.source_change import Campaign
from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.entering import FIRST_NAMES, Breaking, Inventor
from streams.demo.forms import Forms
from streams.demo.marketo import SimulatedMarketo
from streams.demo.oracle.follow import Oracle
from streams.demo.record import HeldRecord
from streams.demo.system import SimulatedSystem
from streams.sync.messages import Value
from streams.sync.person import other_system
from streams.sync.policy import FieldRule, Policy

MARKETERS = tuple(f"{name.lower()}@marketing.example" for name in FIRST_NAMES[:8])
SELLERS = tuple(f"{name.lower()}@sales.example" for name in FIRST_NAMES[8:16])
UNKNOWN_OWNER = "nobody@sales.example"


@dataclass(frozen=True)
class Mix:
    """How often people do what: action -> weight; and how they do it (shares between 0 and 1)."""

    actions: Mapping[str, float]
    fields_per_edit_max: int = 2
    cleared: float = 0.06
    spoiled: float = 0.0
    synced_at_once: float = 0.6
    contact: float = 0.25
    background: float = 0.3
    with_view: float = 1.0
    owned: float = 0.2
    owner_unknown: float = 0.0
    kept_out: float = 0.0
    wrong_side: float = 0.0


class Broken(NamedTuple):
    """A value that the other system won't take, and where it was entered."""

    system: System
    record_id: str
    name: str


@dataclass
class Crowd:
    """Everybody. `act` lets somebody do something; it gives the story of it, or None where nothing was possible."""

    policy: Policy
    marketo: SimulatedMarketo
    dynamics: SimulatedDynamics
    oracle: Oracle
    inventor: Inventor
    mix: Mix
    random: random.Random
    broken: list[Broken] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._actions = [self.action(name) for name in self.mix.actions]
        self._weights = list(accumulate(self.mix.actions.values()))
        self._forms = Forms(self.policy, self.inventor, self.random, self.dynamics.saving)

    def action(self, name: str) -> Callable[[Crowd, float], str | None]:
        """What people do under this name."""
        return ACTIONS[name]

    def act(self, now: float) -> str | None:
        """Somebody does something."""
        action = self.random.choices(self._actions, cum_weights=self._weights)[0]
        return action(self, now)

    def correct(self, share: float, now: float) -> list[str]:
        """A share of the broken values is corrected, each by somebody in the system in which it was entered."""
        stories = []
        for broken in self.broken:
            held = self._system(broken.system).living(broken.record_id)
            if held is not None and self.random.random() < share:
                rule = self.policy.fields[broken.name]
                changed = self._enter(held, [rule], now, cleared=0.0)
                stories.append(f"{self._who(broken.system)} corrects {held.id} {changed}")
        return stories

    def new_in_marketo(self, now: float) -> HeldRecord:
        """A new person."""
        values = self._forms.new_values("person")
        held = self.marketo.create(self._who(MARKETO), self._forms.columns("person", values), now)
        self.inventor.note_new(held.person_key, values)
        return held

    def new_in_dynamics(self, kind: RecordType, now: float) -> HeldRecord:
        """A new lead or contact."""
        values = self._forms.new_values(kind)
        columns = self._forms.columns(kind, values)
        if self.policy.filter_column is not None and self.random.random() < self.mix.kept_out:
            columns[self.policy.filter_column] = False
        held = self.dynamics.create(kind, self._who(DYNAMICS), columns, now)
        self.inventor.note_new(held.person_key, values)
        return held

    def edit_marketo(self, now: float) -> str | None:
        """Marketing edits a person."""
        return self._edit(self.marketo, now)

    def edit_dynamics(self, now: float) -> str | None:
        """Sales edits a lead or contact."""
        return self._edit(self.dynamics, now)

    def edit_now(self, held: HeldRecord, now: float) -> str:
        """Somebody edits this very record, whatever is being done to it."""
        rule = self.random.choice([rule for rule in self._forms.fields(held) if rule.direction == "both"])
        return f"{held.record.system} {held.id} is edited meanwhile: {self._enter(held, [rule], now, cleared=0.0)}"

    def edit_both(self, now: float) -> str | None:
        """One field, on both sides, before either can have seen the other."""
        held = self.dynamics.draw(self.random)
        person = None if held is None else self.oracle.people.get(held.person_key)
        twin = None if person is None else person.held.get(MARKETO)
        if held is None or twin is None:
            return None
        rule = self.random.choice([rule for rule in self._forms.fields(held) if rule.direction == "both"])
        both = [self._enter(side, [rule], now, cleared=0.0) for side in self.random.sample([held, twin], 2)]
        return f"both sides edit {held.person_key}: {both}"

    def create_in_marketo(self, now: float) -> str | None:
        """Marketing types in a new person, and often syncs it at once."""
        held = self.new_in_marketo(now)
        story = f"marketing creates {held.id} {held.values}"
        if self.random.random() < self.mix.synced_at_once:
            story += "; " + self._request(held, now)
        return story

    def create_in_dynamics(self, now: float) -> str | None:
        """Sales types in a new lead or contact."""
        kind: RecordType = "contact" if self.random.random() < self.mix.contact else "lead"
        held = self.new_in_dynamics(kind, now)
        return f"sales creates {kind} {held.id} {held.values}"

    def sync_person(self, now: float) -> str | None:
        """Marketing runs Sync Person on somebody."""
        held = self.marketo.draw(self.random)
        return None if held is None else self._request(held, now)

    def delete_in_marketo(self, now: float) -> str | None:
        """Marketing deletes a person."""
        held = self.marketo.draw(self.random)
        if held is None:
            return None
        self.marketo.delete(held.id, self._who(MARKETO), now)
        return f"marketing deletes {held.id}"

    def delete_in_dynamics(self, now: float) -> str | None:
        """Sales deletes a lead or contact."""
        held = self.dynamics.draw(self.random)
        if held is None:
            return None
        self.dynamics.delete(held.id, self._who(DYNAMICS), now)
        return f"sales deletes {held.record.type} {held.id}"

    def qualify(self, now: float) -> str | None:
        """Sales qualifies a lead."""
        held = self.dynamics.draw(self.random)
        if held is None or held.record.type != "lead":
            return None
        contact = self.dynamics.qualify(held.id, self._who(DYNAMICS), now)
        return f"sales qualifies {held.id} into contact {contact.id}"

    def merge_in_marketo(self, now: float) -> str | None:
        """Marketing merges two persons."""
        pair = self._pair(self.marketo)
        if pair is None:
            return None
        loser, winner = pair
        take = self._forms.worth_taking(loser, winner, self._is_broken_for(winner))
        self.marketo.merge(loser.id, winner.id, self._who(MARKETO), now, take)
        return f"marketing merges {loser.id} into {winner.id}, taking {take}"

    def merge_in_dynamics(self, now: float) -> str | None:
        """Sales merges two leads, or two contacts."""
        pair = self._pair(self.dynamics)
        if pair is None or pair[0].record.type != pair[1].record.type:
            return None
        loser, winner = pair
        take = self._forms.worth_taking(loser, winner, self._is_broken_for(winner))
        self.dynamics.merge(loser.id, winner.id, self._who(DYNAMICS), now, take)
        return f"sales merges {loser.id} into {winner.id}, taking {take}"

    def break_value(self, now: float) -> str | None:
        """Somebody enters what the other system won't take."""
        breaking = self.random.choice(self.inventor.breakings)
        return self._break(self._system(breaking.sender).draw(self.random), breaking, now)

    def enter_duplicate(self, now: float) -> str | None:
        """Marketing enters, on a person who is in both systems, what a duplicate rule in Dynamics refuses."""
        held = self.marketo.draw(self.random)
        breaking = next((each for each in self.inventor.breakings if each.how == "duplicate"), None)
        if held is None or breaking is None or not self._has_twin(held):
            return None
        return self._break(held, breaking, now)

    def _break(self, held: HeldRecord | None, breaking: Breaking, now: float) -> str | None:
        rule = self.policy.fields[breaking.name]
        if held is None or rule.column(held.record.type) is None:
            return None
        if breaking.how == "emptied" and not self.inventor.may_clear(held.person_key, rule.name):
            return None
        value, column = self.inventor.broken(held.person_key, breaking), rule.column(held.record.type) or ""
        stored = self._system(breaking.sender).saving.stored(column, value)
        self.oracle.declare_broken(other_system(breaking.sender), rule.name, stored)
        self.broken.append(Broken(breaking.sender, held.id, rule.name))
        changed = self._system(breaking.sender).edit(held.id, self._who(breaking.sender), {column: value}, now)
        return f"{self._who(breaking.sender)} breaks {held.id} {changed}"

    def turn_filter(self, now: float) -> str | None:
        """Sales keeps a record out of the sync, or lets it in again."""
        held, column = self.dynamics.draw(self.random), self.policy.filter_column
        if held is None or column is None:
            return None
        return self.let_in(held, held.values.get(column) is False, now)

    def let_in(self, held: HeldRecord, let_in: bool, now: float) -> str:
        """Sales sets the filter."""
        self.dynamics.edit(held.id, self._who(DYNAMICS), {self.policy.filter_column or "": let_in}, now)
        return f"sales lets {held.id} {'in' if let_in else 'out'}"

    def retry(self, now: float) -> str | None:
        """Somebody asks for a failed one to be tried again."""
        held = self.marketo.draw(self.random)
        if held is None:
            return None
        self.marketo.retry(held.id, now)
        return f"somebody retries {held.id}"

    def _edit(self, system: SimulatedSystem, now: float) -> str | None:
        held = system.draw(self.random)
        if held is None:
            return None
        rules = self._forms.fields(held, self._has_twin(held) and self.random.random() < self.mix.wrong_side)
        count = min(self.random.randint(1, self.mix.fields_per_edit_max), len(rules))
        changed = self._enter(held, self.random.sample(rules, count), now, self.mix.cleared)
        return f"{system.system} {held.id} is edited: {changed}" if changed else None

    def _enter(self, held: HeldRecord, rules: list[FieldRule], now: float, cleared: float) -> dict[str, Value]:
        values = self._forms.edited(held, rules, cleared, self._has_twin(held))
        return self._system(held.record.system).edit(held.id, self._who(held.record.system), values, now)

    def _request(self, held: HeldRecord, now: float) -> str:
        chance = self.random.random
        campaign: Campaign = "batch" if chance() < self.mix.background else "trigger"
        sync_as: RecordType = "contact" if chance() < self.mix.contact else "lead"
        owner = None
        if chance() < self.mix.owned:
            owner = UNKNOWN_OWNER if chance() < self.mix.owner_unknown else self.random.choice(SELLERS)
        with_view = chance() < self.mix.with_view
        self.marketo.request_sync(held.id, self._who(MARKETO), now, campaign, sync_as, owner, with_view)
        return (
            f"Sync Person of {held.id} ({campaign}, as {sync_as}, owner {owner}, {'with' if with_view else 'no'} view)"
        )

    def _pair(self, system: SimulatedSystem) -> tuple[HeldRecord, HeldRecord] | None:
        loser, winner = system.draw(self.random), system.draw(self.random)
        if loser is None or winner is None or loser.person_key == winner.person_key:
            return None
        return loser, winner

    def _is_broken_for(self, held: HeldRecord) -> Callable[[str, Value], bool]:
        """Whether the system on the other side of this record would refuse a value."""
        receiver = other_system(held.record.system)
        return lambda name, value: (receiver, name, value) in self.oracle.broken

    def _has_twin(self, held: HeldRecord) -> bool:
        person = self.oracle.people.get(held.person_key)
        return person is not None and len(person.held) == 2

    def _who(self, system: System) -> str:
        return self.random.choice(MARKETERS if system == MARKETO else SELLERS)

    def _system(self, system: System) -> SimulatedSystem:
        return self.marketo if system == MARKETO else self.dynamics


ACTIONS: Mapping[str, Callable[[Crowd, float], str | None]] = {
    "edit_marketo": Crowd.edit_marketo,
    "edit_dynamics": Crowd.edit_dynamics,
    "edit_both": Crowd.edit_both,
    "create_in_marketo": Crowd.create_in_marketo,
    "create_in_dynamics": Crowd.create_in_dynamics,
    "sync_person": Crowd.sync_person,
    "delete_in_marketo": Crowd.delete_in_marketo,
    "delete_in_dynamics": Crowd.delete_in_dynamics,
    "qualify": Crowd.qualify,
    "merge_in_marketo": Crowd.merge_in_marketo,
    "merge_in_dynamics": Crowd.merge_in_dynamics,
    "break_value": Crowd.break_value,
    "turn_filter": Crowd.turn_filter,
    "retry": Crowd.retry,
}
"""Everything that people do, by name."""
