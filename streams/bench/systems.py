"""Both systems, played as plainly as can be: what their streams show of new leads, of edits and of landings.

No rewriting, no delays, no refusals: those are the demo's. Every value and id follows from the numbers alone, so that two
runs write the same messages.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from schemas.identity import person_key_of, uuid5
from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES, System
from streams.bench.load import Load
from streams.sync.messages import ApplyCommand, Record, SourceChange, Value
from streams.sync.policy import FieldRule, FieldType
from streams.sync.values import to_system

FIRST_MARKETO_ID = 1_000_001
SALES, MARKETING = "sales@example.com", "marketing@example.com"


class Shown(NamedTuple):
    """One message of a system's stream."""

    system: System
    stream: str
    change: SourceChange


class Person:
    """The two records of one human; `row` is what the lead holds, in Dynamics' own names."""

    __slots__ = ("creation", "key", "lead", "marketo", "revisions", "row", "versions")

    def __init__(self, number: int, row: dict[str, Value]) -> None:
        self.lead = Record(DYNAMICS, "lead", uuid5(f"bench/lead/{number}"))
        self.marketo = Record(MARKETO, "person", str(FIRST_MARKETO_ID + number))
        self.key = person_key_of(DYNAMICS, self.lead.id)
        self.row = row
        self.creation: dict[System, int] = {}  # n of our key, from when the record holds it
        self.versions: dict[System, int] = {MARKETO: 0, DYNAMICS: 0}
        self.revisions: dict[System, int] = {}


class Systems:
    """All people, and the streams of their records."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._rules = load.rules()
        self._edited = [rule for rule in self._rules if rule.type == "text"]
        self._people = [Person(number, self._row(number)) for number in range(load.people)]
        self._by_key = {person.key: person for person in self._people}
        self._random = random.Random(load.people)  # who is edited next, the same in each run

    def _row(self, number: int) -> dict[str, Value]:
        return {rule.lead or "": to_system(rule, DYNAMICS, VALUES[rule.type](rule, number)) for rule in self._rules}

    def new_leads(self) -> Iterator[Shown]:
        """Every lead's first row."""
        for person in self._people:
            yield self._row_of(person, "created", SALES)

    def edits(self, round_number: int) -> Iterator[Shown]:
        """One edit for each of so many people, by turns in Marketo and in Dynamics."""
        for place, person in enumerate(self._random.sample(self._people, self._load.edits)):
            rule = self._edited[(round_number + place) % len(self._edited)]
            value = f"{rule.name} {round_number}/{place}"
            if place % 2:
                person.row[rule.lead or ""] = value
                yield self._row_of(person, "updated", SALES)
            else:
                yield self._feed_entry(person, "updated", MARKETING, {rule.marketo or "": value})

    def landing(self, command: ApplyCommand) -> Shown:
        """Carry a command out; what the stream of its record shows then."""
        person, fields = self._by_key[command.person_key], command.fields or {}
        person.revisions[command.system] = command.revision
        person.creation.setdefault(command.system, command.creation or 0)
        if command.system == MARKETO:
            kind = "created" if command.operation == "create" else "updated"
            return self._feed_entry(person, kind, OURSELVES, fields, command.revision)
        person.row.update(fields)
        return self._row_of(person, "updated", OURSELVES)

    def _row_of(self, person: Person, kind: str, who: str) -> Shown:
        revision = person.revisions.get(DYNAMICS)
        return self._shown(person, person.lead, kind, who, fields=person.row.copy(), scope="row", revision=revision)

    def _feed_entry(
        self, person: Person, kind: str, who: str, fields: Mapping[str, Value], revision: int | None = None
    ) -> Shown:
        return self._shown(person, person.marketo, kind, who, fields=dict(fields), revision=revision)

    @staticmethod
    def _shown(person: Person, record: Record, kind: Any, who: str, **more: Any) -> Shown:
        system = record.system
        person.versions[system] += 1
        version, creation = person.versions[system], person.creation.get(system)
        change = SourceChange(
            change_id=f"{system}/{record.id}/{version}",
            kind=kind,
            record=record,
            version=version,
            person_key=None if creation is None else person.key,
            creation=creation,
            time=f"2026-09-01T09:{version // 60 % 60:02d}:{version % 60:02d}Z",
            who=who,
            **more,
        )
        return Shown(system, record.id, change)


def _text(rule: FieldRule, number: int) -> Value:
    return f"{rule.name.replace('_', ' ')} {number}"


def _option(rule: FieldRule, number: int) -> Value:
    labels = list(rule.options or ())
    return labels[number % len(labels)]


VALUES: Mapping[FieldType, Callable[[FieldRule, int], Value]] = {
    "text": _text,
    "email": lambda rule, number: f"person.{number}@example.com",
    "phone": lambda rule, number: f"+1 555 {number:07d}",
    "url": lambda rule, number: f"https://example.com/{number}",
    "integer": lambda rule, number: number,
    "decimal": lambda rule, number: 1000 + number,
    "boolean": lambda rule, number: number % 2 == 0,
    "date": lambda rule, number: f"2026-09-{number % 28 + 1:02d}",
    "datetime": lambda rule, number: f"2026-09-{number % 28 + 1:02d}T09:00:00Z",
    "option": _option,
    "options": lambda rule, number: (str(_option(rule, number)),),
}
"""A value of each field type, in canonical form."""
