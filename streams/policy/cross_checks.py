"""Checks that need more than one field, or the rule files: what would otherwise fail only when a person is synced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schemas.vocabulary import RecordKind, System
from streams.policy.field import RECEIVERS, ReadField
from streams.policy.mistakes import START, Report, nearest, quoted
from streams.sync.policy import AttributeRule, FieldType, Format
from streams.sync.validation import first_violation
from streams.sync.values import EXPECTED, to_system

Rules = Mapping[RecordKind, Mapping[str, AttributeRule]]

KINDS: tuple[RecordKind, ...] = ("person", "lead", "contact")
SYSTEM_OF_KIND: Mapping[RecordKind, System] = {"person": "marketo", "lead": "dynamics", "contact": "dynamics"}
KIND_SAID: Mapping[RecordKind, str] = {
    "person": "a Marketo person",
    "lead": "a Dynamics lead",
    "contact": "a Dynamics contact",
}

FITTING_TYPES: Mapping[Format, tuple[FieldType, ...]] = {
    "boolean": ("boolean",),
    "integer": ("integer",),
    "decimal": ("decimal", "integer"),
    "date": ("date",),
    "datetime": ("datetime",),
}
"""The field types that a column of each format can take; any other value would be refused, one by one."""


def check_fields(fields: Sequence[ReadField], rules: Rules, report: Report) -> None:
    """All of the checks below, over each field and record kind."""
    _check_columns_once(fields, report)
    for field in fields:
        for kind in KINDS:
            column = field.rule.column(kind)
            rule = rules[kind].get(column) if column else None
            if column and rules[kind] and rule is None:
                _note_unknown(field, kind, column, rules[kind], report)
            if rule and field.has_known_direction and SYSTEM_OF_KIND[kind] in RECEIVERS[field.rule.direction]:
                _check_written(field, kind, rule, report)
    for kind in KINDS:
        _note_required(fields, kind, rules[kind], report)


def _check_columns_once(fields: Sequence[ReadField], report: Report) -> None:
    """A column belongs to one field: two would write over each other for ever."""
    for kind in KINDS:
        owners: dict[str, ReadField] = {}
        for field in fields:
            column = field.rule.column(kind)
            if column is None:
                continue
            owner = owners.setdefault(column, field)
            place = field.column_place(kind)
            already_told = kind == "contact" and field.rule.contact == field.rule.lead and owner.rule.lead == column
            if owner is not field and not already_told:
                found = f"found {quoted(column)} of {KIND_SAID[kind]}, which {owner.name} (line {owner.place.line}) has"
                report.mistake(place, found, "each column in one field")


def _note_unknown(
    field: ReadField, kind: RecordKind, column: str, known: Mapping[str, AttributeRule], report: Report
) -> None:
    meant = nearest(known, column)
    question = f" (did you mean {meant}?)" if meant else ""
    found = f"the rules of {KIND_SAID[kind]} have no column {quoted(column)}{question}: nothing of it is checked"
    report.note(field.column_place(kind), found, "a column of your own")


def _check_written(field: ReadField, kind: RecordKind, rule: AttributeRule, report: Report) -> None:
    """What we would write to this column, held against what it takes."""
    place = field.column_place(kind)
    if not (rule.creatable or rule.updatable):
        found = f"found {quoted(rule.name)}, which cannot be written on {KIND_SAID[kind]}"
        away = "to_marketo" if kind != "person" else "to_dynamics"
        report.mistake(place, found, f"direction: {away}, or another column")
    elif field.has_known_type:
        for found, allowed in _misfits(field, rule):
            report.mistake(place, f"found {quoted(rule.name)} of {KIND_SAID[kind]}, {found}", allowed)
        _check_options(field, kind, rule, report)
        _check_default(field, kind, rule, report)


def _misfits(field: ReadField, rule: AttributeRule) -> Iterator[tuple[str, str]]:
    fitting = FITTING_TYPES.get(rule.format) if rule.format else None
    if fitting and field.rule.type not in fitting:
        takes = EXPECTED[fitting[0]]
        yield f"which takes {takes}, for a field of type {field.rule.type}", f"type: {', '.join(fitting)}"


def _check_options(field: ReadField, kind: RecordKind, rule: AttributeRule, report: Report) -> None:
    """Each option of the field must be one that the column has: its number in Dynamics, its label in Marketo."""
    for label, number in (field.rule.options or {}).items():
        option = label if kind == "person" else number
        if rule.options is not None and option not in rule.options:
            place = field.settings.entries("options", "")[label].node.place
            found = f"found {quoted(option)}, which {quoted(rule.name)} of {KIND_SAID[kind]} has not"
            report.mistake(place, found, ", ".join(str(each) for each in sorted(rule.options, key=str)[:20]))


def _check_default(field: ReadField, kind: RecordKind, rule: AttributeRule, report: Report) -> None:
    """A default goes to new records, so it must pass the rules that they are held to."""
    if field.rule.default is None or not rule.creatable:
        return
    system = SYSTEM_OF_KIND[kind]
    written = {rule.name: to_system(field.rule, system, field.rule.default)}
    violation = first_violation({rule.name: rule}, written, system=system, creating=True)
    if violation:
        place = field.settings.place("default")
        report.mistake(
            place, f"the default breaks a rule of {KIND_SAID[kind]}: {violation.message}", "a value within it"
        )


def _note_required(
    fields: Sequence[ReadField], kind: RecordKind, rules: Mapping[str, AttributeRule], report: Report
) -> None:
    """Records of a kind can be created only when something fills each required column. A contact comes from a lead."""
    if kind == "contact":
        return
    system = SYSTEM_OF_KIND[kind]
    filled = {field.rule.column(kind) for field in fields if system in RECEIVERS[field.rule.direction]}
    for column in sorted(name for name, rule in rules.items() if rule.required and name not in filled):
        found = f"{quoted(column)} of {KIND_SAID[kind]} is required and no field fills it: none can be created"
        report.note(START, found, f"a field with this column that goes to {system}")
