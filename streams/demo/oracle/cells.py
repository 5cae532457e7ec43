"""Where the value of each record's field comes from: the edit it descends from, and all that stood in it before.

The only place where edits are made and cells change, so that no edit can count without having been seen to happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.oracle.facts import Cell, Edit, FieldFacts, PersonFacts
from streams.demo.oracle.winners import asks_for_times, is_fickle
from streams.demo.record import HeldRecord
from streams.sync.collision import seconds_of
from streams.sync.messages import Value
from streams.sync.person import other_system
from streams.sync.policy import TEXT_TYPES, Policy
from streams.sync.values import canonical


class Cells:
    """Enters, lands and fills in values. `complain` is told of a value that nobody ever entered."""

    def __init__(self, policy: Policy, complain: Callable[[PersonFacts, str], None]) -> None:
        self.policy, self.complain = policy, complain
        self.edits = 0
        self.is_timed = asks_for_times(policy)
        self.shown: dict[int, float] = {}  # edit -> the time of the last row that showed it, where times matter
        self._defaults = {rule.name: rule.default for rule in policy.fields.values() if rule.default is not None}

    def canonical(self, held: HeldRecord, values: Mapping[str, Value]) -> dict[str, Value]:
        inbound, system = self.policy.inbound[held.record.type], held.record.system
        return {
            rule.name: canonical(rule, system, value)
            for column, value in values.items()
            if (rule := inbound.get(column)) is not None and rule.computed is None
        }

    def values(self, held: HeldRecord) -> list[tuple[str, Value]]:
        system = held.record.system
        return [
            (rule.name, canonical(rule, system, held.values.get(column)))
            for column, rule in self.policy.inbound[held.record.type].items()
            if rule.computed is None
        ]

    def enter(self, facts: FieldFacts, held: HeldRecord, value: Value) -> Edit:
        system = held.record.system
        seen = facts.cell(system).seen
        edit = self._new(facts, held, value, seen, weak=False)
        facts.put(system, Cell(edit, seen | {edit.number}))
        return edit

    def land(self, person: PersonFacts, name: str, held: HeldRecord, sent: Value, stored: Value) -> None:
        """The cell now descends from the edit that was sent, or from what the system made of it on save."""
        facts, system = person.facts(name), held.record.system
        self._complain_of_blocked(person, name, system, sent)
        edit = facts.latest_with(sent)
        self._complain_of_kept_in(person, name, system, edit)
        seen = facts.cell(system).seen
        if edit is not None and edit.system != system:
            self._note_covered(name, facts, system, edit)
        if edit is None and sent is not None:
            if sent != self._defaults.get(name):
                self.complain(person, f"{name} = {sent!r} was sent to {system} and never entered anywhere")
            edit = self._new(facts, held, sent, seen, weak=True)
        if edit is not None:
            seen = seen | edit.seen | {edit.number}
        if stored != sent:
            edit = self._rewritten(person, name, held, stored, seen)
            seen = seen | {edit.number}
        facts.put(system, Cell(edit, seen))

    def _rewritten(self, person: PersonFacts, name: str, held: HeldRecord, stored: Value, seen: frozenset[int]) -> Edit:
        facts = person.facts(name)
        known = facts.latest_with(stored)
        edit = known if known is not None and known.weak else self._new(facts, held, stored, seen, weak=True)
        if held.record.system == DYNAMICS:
            person.covered[name] = edit.number
        return edit

    def fill_in(self, person: PersonFacts, name: str, held: HeldRecord, value: Value) -> None:
        facts, system = person.facts(name), held.record.system
        seen = facts.cell(system).seen
        if value is None:
            facts.put(system, Cell(None, seen))
            return
        edit = self._new(facts, held, value, seen, weak=True)
        facts.put(system, Cell(edit, seen | {edit.number}))
        if system == DYNAMICS:
            person.covered[name] = edit.number

    def leave_blank(self, facts: FieldFacts, held: HeldRecord) -> None:
        """A field that was empty on both sides when the record was made: nobody has an unseen edit there."""
        source = facts.cell(other_system(held.record.system))
        if source.edit is None or source.edit.value is None:
            facts.put(held.record.system, source)

    def cover(self, person: PersonFacts, held: HeldRecord) -> None:
        if held.record.system != DYNAMICS:
            return
        for name, number in person.covered.items():
            person.facts(name).loose |= {number}
        person.covered.clear()

    def doubt(self, person: PersonFacts, facts: FieldFacts, held: HeldRecord, edit: Edit) -> None:
        """What is entered before any row is read may be taken for the system's own doing."""
        if held.record.system == MARKETO or held.shown:
            return
        if held.creation() and not person.is_shown:
            facts.meek |= {edit.number}
        if held.record.type == "contact" and held.stream != held.id and edit.value is None:
            facts.loose |= {edit.number}

    def _note_covered(self, name: str, facts: FieldFacts, system: System, edit: Edit) -> None:
        """An edit of the other system lands on all that was entered here without its having been seen."""
        if not is_fickle(self.policy.fields[name], self.policy):
            return
        here = facts.cell(system).seen - edit.seen
        facts.covered |= {
            (each.number, edit.number) for each in facts.edits if each.system == system and each.number in here
        }

    def note_shown(self, person: PersonFacts, system: System, time: str | None) -> None:
        """A row or a view of the record left the system: an edit may count as made as late as that says."""
        seconds = seconds_of(time) if self.is_timed else None
        if seconds is None:
            return
        for facts in person.fields.values():
            edit = facts.cell(system).edit
            if edit is not None and edit.system == system:
                self.shown[edit.number] = max(seconds, self.shown.get(edit.number, seconds))

    def _complain_of_blocked(self, person: PersonFacts, name: str, system: System, sent: Value) -> None:
        """Written once, later writes ignored; but what somebody enters in Marketo while we write, nobody can see, and gets back."""
        if system not in self.policy.fields[name].block_updates:
            return
        before = person.facts(name).cell(system).edit
        back = person.facts(name).latest_with(sent)
        if before is None or before.value in (None, sent) or (back is not None and back.system == system):
            return
        if system == DYNAMICS or before.system != MARKETO:
            self.complain(
                person, f"{name} = {before.value!r} in {system} was written over with {sent!r}; it is blocked"
            )

    def _complain_of_kept_in(self, person: PersonFacts, name: str, system: System, edit: Edit | None) -> None:
        """What was entered while the filter said No reaches Marketo only after its Yes; texts alone tell whose they are."""
        is_one = edit is not None and any(edit.number in numbers for numbers in person.kept_in.values())
        if edit is not None and is_one and system == MARKETO and self.policy.fields[name].type in TEXT_TYPES:
            self.complain(person, f"{name} = {edit.value!r} was sent to {system} and the filter says No")

    def _new(self, facts: FieldFacts, held: HeldRecord, value: Value, seen: frozenset[int], weak: bool) -> Edit:
        self.edits += 1
        time = (seconds_of(held.time) or 0.0) if self.is_timed else 0.0
        edit = Edit(self.edits, held.record.system, held.id, value, seen, weak, time)
        facts.edits += (edit,)
        return edit
