"""Both systems, played as plainly as can be: what their streams show of new leads, of edits and of landings.

No rewriting, no delays, no refusals: those are the demo's. Dynamics answers `conflict` to a command that expects what a
field no longer holds, as its applier has to. Every value and id follows from the numbers alone, so that two runs write the
same messages.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.identity import person_key_of, uuid5
from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES, SYSTEMS, System
from streams.bench.load import Load
from streams.bench.message import Shown
from streams.sync.messages import ApplyCommand, ApplyResult, Record, Row, SourceChange, Value
from streams.sync.policy import FieldRule, FieldType
from streams.sync.values import to_system

FIRST_MARKETO_ID = 1_000_001
SALES, MARKETING = "sales@example.com", "marketing@example.com"
WHO: Mapping[System, str] = {DYNAMICS: SALES, MARKETO: MARKETING}


class Person:
    """The two records of one human; `held` is what each holds, in its system's own names."""

    __slots__ = ("creation", "held", "key", "lead", "marketo", "revisions", "versions")

    def __init__(self, number: int, row: dict[str, Value]) -> None:
        self.lead = Record(DYNAMICS, "lead", uuid5(f"bench/lead/{number}"))
        self.marketo = Record(MARKETO, "person", str(FIRST_MARKETO_ID + number))
        self.key = person_key_of(DYNAMICS, self.lead.id)
        self.held: dict[System, dict[str, Value]] = {DYNAMICS: row, MARKETO: {}}
        self.creation: dict[System, int] = {}  # n of our key, from when the record holds it
        self.versions: dict[System, int] = dict.fromkeys(SYSTEMS, 0)
        self.revisions: dict[System, int] = {}


class Systems:
    """All people, and the streams of their records."""

    def __init__(self, load: Load) -> None:
        rules = load.rules()
        self.edited = [rule for rule in rules if rule.type == "text"]
        self.people = [Person(number, _row(rules, number)) for number in range(load.people)]
        self.random = random.Random(load.people)  # who is edited next, the same in each run
        self._by_key = {person.key: person for person in self.people}
        self._last_value = load.people - 1  # no edit enters what somebody began with

    def new_leads(self) -> Iterator[Shown]:
        """Every lead's first row."""
        for person in self.people:
            yield self._row_of(person, "created", SALES)

    def edit(self, person: Person, system: System, rule: FieldRule) -> Shown:
        """Somebody enters a value that was nowhere before."""
        self._last_value += 1
        name = own_name(rule, system)
        person.held[system][name] = value = f"{rule.name} {self._last_value}"
        if system == DYNAMICS:
            return self._row_of(person, "updated", SALES)
        return self._feed_entry(person, "updated", MARKETING, {name: value})

    def carry_out(self, command: ApplyCommand) -> Shown | ApplyResult:
        """Do a command; what the stream of its record shows then, or that it was in conflict."""
        person, fields, system = self._by_key[command.person_key], command.fields or {}, command.system
        held, expected = person.held[system], command.expected or {}
        if any(held.get(column) not in (value, fields.get(column)) for column, value in expected.items()):
            return self._conflict(person, command)
        person.revisions[system] = command.revision
        person.creation.setdefault(system, command.creation or 0)
        held.update(fields)
        if system == DYNAMICS:
            return self._row_of(person, "updated", OURSELVES)
        kind = "created" if command.operation == "create" else "updated"
        return self._feed_entry(person, kind, OURSELVES, fields, command.revision)

    def unlike(self) -> list[str]:
        """The keys of the people whose edited fields differ between the systems: of nobody, when all is at rest."""
        names = [(own_name(rule, MARKETO), own_name(rule, DYNAMICS)) for rule in self.edited]
        return [
            person.key
            for person in self.people
            if any(person.held[MARKETO].get(here) != person.held[DYNAMICS].get(there) for here, there in names)
        ]

    def _row_of(self, person: Person, kind: str, who: str) -> Shown:
        row, revision = person.held[DYNAMICS], person.revisions.get(DYNAMICS)
        return self._shown(person, person.lead, kind, who, fields=row.copy(), scope="row", revision=revision)

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
            time=_time(version),
            who=who,
            **more,
        )
        return Shown(system, record.id, change)

    @staticmethod
    def _conflict(person: Person, command: ApplyCommand) -> ApplyResult:
        version = person.versions[DYNAMICS]
        row = Row(
            record=person.lead,
            version=version,
            fields=person.held[DYNAMICS].copy(),
            revision=person.revisions.get(DYNAMICS),
            creation=person.creation.get(DYNAMICS),
            time=_time(version),
            who=SALES,
        )
        return ApplyResult(
            result_id=uuid5(f"bench/conflict/{command.command_id}"),
            command_id=command.command_id,
            person_key=person.key,
            system=DYNAMICS,
            answer="conflict",
            record=person.lead,
            row=row,
            time=row.time,
        )


def own_name(rule: FieldRule, system: System) -> str:
    """A field's name in a system's own records."""
    return (rule.marketo if system == MARKETO else rule.lead) or ""


def _row(rules: list[FieldRule], number: int) -> dict[str, Value]:
    return {own_name(rule, DYNAMICS): to_system(rule, DYNAMICS, VALUES[rule.type](rule, number)) for rule in rules}


def _time(version: int) -> str:
    return f"2026-09-01T09:{version // 60 % 60:02d}:{version % 60:02d}Z"


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
