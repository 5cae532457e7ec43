"""How each event of the systems changes what the oracle knows. The oracle is their witness."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES, System
from streams.demo.oracle.cells import Cells
from streams.demo.oracle.due import creation_complaint, note_end, note_request
from streams.demo.oracle.facts import BLANK, Edit, FieldFacts, PersonFacts
from streams.demo.oracle.sight import descends, standing, unseen
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.sync.messages import ApplyCommand, SourceChange, Value
from streams.sync.person import other_system
from streams.sync.policy import Computed, Policy


class Oracle:
    """Follows the systems. `complaints`: what must not have happened at all; `broken`: values that a receiver must refuse."""

    def __init__(self, policy: Policy, saving: Mapping[System, Saving]) -> None:
        self.policy, self.saving = policy, saving
        self.people: dict[str, PersonFacts] = {}
        self.complaints: list[str] = []
        self.broken: set[tuple[System, str, Value]] = set()
        self.cells = Cells(policy, self._complain)

    def declare_broken(self, receiver: System, name: str, value: Value) -> None:
        """Somebody is about to enter a value of this field that the other system, `receiver`, will not take."""
        self.broken.add((receiver, name, value))

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        """A new record: entered values are edits, sent ones come from the other system, the rest was filled in."""
        person, system = self._person(held.person_key), held.record.system
        self._expect_creation(person, held, command)
        person.saves += command is None
        if system == DYNAMICS and person.ends[DYNAMICS]:
            self._reopen(person)
        person.held[system] = held
        number = self.cells.edits
        sent = {} if command is None else self.cells.canonical(held, command.fields or {})
        given = self.cells.canonical(held, entered)
        for name, value in self.cells.values(held):
            if value is None and name not in person.fields:
                continue
            facts = person.facts(name)
            facts.put(system, BLANK)
            if name in sent:
                self.cells.land(person, name, held, sent[name], value)
            elif name in given and value is not None:
                self.cells.enter(facts, held, value)
            elif value is not None:
                self.cells.fill_in(person, name, held, value)
            else:
                self.cells.leave_blank(facts, held)
        self._keep_in(person, held, number)

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        """A person's edits. On a Dynamics record they also cover who made the values that nobody has read yet."""
        person = self._person(held.person_key)
        person.saves += 1
        self.cells.cover(person, held)
        number = self.cells.edits
        for name, value in self.cells.canonical(held, changed).items():
            facts = person.facts(name)
            self.cells.doubt(person, facts, held, self.cells.enter(facts, held, value))
        self._keep_in(person, held, number)

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        """A command's values now stand in the record, with all that their edits had seen."""
        person, values = self._person(held.person_key), dict(self.cells.values(held))
        for name, value in self.cells.canonical(held, command.fields or {}).items():
            self.cells.land(person, name, held, value, values[name])

    def deleted(self, held: HeldRecord) -> None:
        """A record was deleted, by a person or under the delete policy."""
        system, known = held.record.system, self.people.get(held.person_key)
        if held.who == OURSELVES:
            self._expect_deletion(held)
        elif known is not None and self._is_certain_pair(known, held):
            self._let_go(known, other_system(system))
        person = self._end(held, "deleted")
        if held.record.system == MARKETO:
            for facts in person.fields.values():
                facts.held_when_deleted, facts.seen_when_deleted = facts.cell(MARKETO)
            return
        if held.shown and self._knows_of_record(person) and not self._is_kept_out(held):
            person.flag_due = "must"
        elif person.is_shown or held.stream != held.id:
            person.flag_due = "may"
        person.is_shown = False

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None:
        """A record was closed by a merge."""
        person = self._end(loser, "merged")
        if loser.record.system == DYNAMICS:
            person.is_shown = False

    def converted(self, lead: HeldRecord, contact: HeldRecord) -> None:
        """A lead became a contact: its values, with all that had stood before them, are the contact's."""
        person = self._person(lead.person_key)
        self.cells.cover(person, lead)
        person.held[DYNAMICS] = contact
        person.kept_in[contact.id] = person.kept_in.pop(lead.id, frozenset())
        self._keep_in(person, contact, self.cells.edits)
        before, after = dict(self.cells.values(lead)), dict(self.cells.values(contact))
        for name in before | after:
            facts = person.facts(name)
            facts.lead_id, facts.seen_by_lead = lead.id, facts.cell(DYNAMICS).seen
            if name not in after:
                facts.put(DYNAMICS, BLANK)
            elif after[name] != before.get(name):
                self.cells.fill_in(person, name, contact, after[name])
        if contact.who != OURSELVES:
            self.cells.cover(person, contact)

    def shown(self, held: HeldRecord) -> None:
        """A row was read. The first one that the filter lets through makes the person known in Marketo."""
        person = self._person(held.person_key)
        if person.held.get(DYNAMICS) is not held:
            return
        self.cells.note_shown(person, DYNAMICS, held.time)
        person.is_shown, person.flag_due, person.is_told_no = True, "never", self._is_kept_out(held)
        person.covered.clear()
        is_known = MARKETO in person.held or person.ends[MARKETO]
        if not is_known and not self._is_kept_out(held):
            person.marketo_due = "must"

    def requested(self, held: HeldRecord, change: SourceChange) -> None:
        """Somebody ran Sync Person."""
        owner_exists = change.owner is None or change.owner in self.saving[DYNAMICS].owners
        person = self._person(held.person_key)
        self.cells.note_shown(person, MARKETO, change.time)
        # With one deletion the flag can only mean that one; later it may be an older one's.
        is_certain = change.sync_as == "lead" and len(person.ends[DYNAMICS]) == 1 and self._knows_of_deletion(held)
        note_request(person, owner_exists, is_certain)

    def linked(self, held: HeldRecord, person_key: str) -> None:
        """A bootstrap pairs two records; where both hold the same, nobody can tell who has seen it in the other."""
        if held.person_key == person_key:
            return
        stray, person = self.people.pop(held.person_key), self._person(person_key)
        system, other = held.record.system, other_system(held.record.system)
        person.held[system], person.is_shown = held, person.is_shown or stray.is_shown
        person.kept_in |= stray.kept_in
        for name, theirs in stray.fields.items():
            facts, cell = person.facts(name), theirs.cell(system)
            mine = facts.cell(other).edit
            facts.edits += theirs.edits
            facts.put(system, cell)
            if cell.edit is not None and mine is not None and cell.edit.value == mine.value:
                facts.meek |= {cell.edit.number, mine.number}

    def may_stand(self, person: PersonFacts, name: str) -> list[Edit]:
        """The edits of which one must stand at rest."""
        dynamics = person.held.get(DYNAMICS)
        record_type = None if dynamics is None or dynamics.record.type == "person" else dynamics.record.type
        return standing(person.facts(name), self.policy.fields[name], record_type, self.policy, self.cells.shown)

    def _expect_creation(self, person: PersonFacts, held: HeldRecord, command: ApplyCommand | None) -> None:
        system = held.record.system
        if system in person.held:
            self._complain(person, f"a second living {system} record, {held.id}")
        if command is None:
            return
        person.creations[system] += 1
        complaint = creation_complaint(self.policy, person, system)
        if complaint is not None:
            self._complain(person, f"{system} record {held.id} {complaint}")

    def _expect_deletion(self, held: HeldRecord) -> None:
        """Ours: the policy says so, and somebody deleted the other one."""
        person, system = self._person(held.person_key), held.record.system
        ends = person.ends[other_system(system)]
        if system not in self.policy.propagate_deletes_to or "deleted" not in ends:
            self._complain(person, f"{system} record {held.id} was deleted and nobody called for it")

    def _is_certain_pair(self, person: PersonFacts, held: HeldRecord) -> bool:
        """Whether both records are known to belong together, and nothing keeps what happens to one from the other."""
        dynamics = person.held.get(DYNAMICS)
        is_read = dynamics is not None and dynamics.shown and not self._is_kept_out(dynamics)
        if held.record.system == DYNAMICS and person.is_told_no:
            return False  # its Yes was never read
        return is_read and self._knows_of_record(person) and person.held.get(held.record.system) is held

    def _let_go(self, person: PersonFacts, system: System) -> None:
        if system in self.policy.propagate_deletes_to and system in person.held:
            person.must_go[system] = person.held[system].stream

    def _end(self, held: HeldRecord, how: str) -> PersonFacts:
        """A record is no more: what is settled and at rest stays settled, what is in motion may stand or not."""
        person, system = self._person(held.person_key), held.record.system
        if person.held.get(system) is not held:
            return person
        for name, facts in person.fields.items():
            self._close(person, name, facts, system)
        del person.held[system]
        if held.record.type != "person":
            person.last_type = held.record.type
        person.ends[system].append(how)
        note_end(person, system)
        if system == DYNAMICS:
            person.covered.clear()
        return person

    def _close(self, person: PersonFacts, name: str, facts: FieldFacts, ending: System) -> None:
        """Where one edit is left, the survivor must hold it; where two had collided, both records must, to be done with it."""
        stands, last = self.may_stand(person, name), unseen(facts)
        holders = (other_system(ending),) if len(last) == 1 else (MARKETO, DYNAMICS)
        if len(stands) == 1 and all(descends(facts.cell(system).edit, stands[0]) for system in holders):
            lost = [edit for edit in last if edit.number != stands[0].number]
            facts.over |= {edit.number for edit in lost}
            facts.on_its_way |= {edit.number for edit in lost if self._may_be_on_its_way(facts, edit, ending)}
            dynamics = person.held.get(DYNAMICS)
            if dynamics is not None and dynamics.record.type == "contact":
                facts.over_for_contact |= {edit.number for edit in lost if edit.system == MARKETO}
        else:
            facts.loose |= {edit.number for edit in facts.edits}

    @staticmethod
    def _reopen(person: PersonFacts) -> None:
        """A new lead: what lost as a contact's, and may not have been read yet when that ended, collides under the lead's rule.

        Likewise what was entered in Marketo after the contact's end: read before the request of the lead, it lost as a contact's.
        """
        for facts in person.fields.values():
            facts.over -= facts.over_for_contact
            facts.loose |= facts.over_for_contact
            last = unseen(facts) if person.last_type == "contact" else []
            if len(last) > 1:
                facts.loose |= {edit.number for edit in last if edit.system == MARKETO}

    def _may_be_on_its_way(self, facts: FieldFacts, edit: Edit, ending: System) -> bool:
        """Whether a command in flight to a Marketo person may carry it: that makes the person again, though the edit has lost."""
        return ending == MARKETO and edit.system == DYNAMICS and edit.number not in facts.cell(MARKETO).seen

    def _keep_in(self, person: PersonFacts, held: HeldRecord, number: int) -> None:
        """What was entered after this edit: it is for Dynamics alone while the filter says No, and nothing is when it says Yes."""
        if held.record.system != DYNAMICS:
            return
        if self._is_kept_out(held):
            kept_in = person.kept_in.get(held.id, frozenset())
            person.kept_in[held.id] = kept_in | set(range(number + 1, self.cells.edits + 1))
        else:
            person.kept_in.pop(held.id, None)

    def _is_kept_out(self, held: HeldRecord) -> bool:
        column = self.policy.filter_column
        return column is not None and held.values.get(column) is False

    def _knows_of_deletion(self, held: HeldRecord) -> bool:
        return self._computed(held, "is_deleted") is True

    def _knows_of_record(self, person: PersonFacts) -> bool:
        """Whether Marketo has been told of a Dynamics record that lives; before that, its deletion may come first."""
        held = person.held.get(MARKETO)
        return held is not None and bool(self._computed(held, "record_type")) and not self._knows_of_deletion(held)

    def _computed(self, held: HeldRecord, what: Computed) -> Value:
        columns = (rule.marketo for rule in self.policy.fields.values() if rule.computed == what)
        return next((held.values.get(column) for column in columns if column is not None), None)

    def _person(self, person_key: str) -> PersonFacts:
        person = self.people.get(person_key)
        if person is None:
            person = self.people[person_key] = PersonFacts(person_key)
        return person

    def _complain(self, person: PersonFacts, text: str) -> None:
        self.complaints.append(f"{person.key}: {text}")
