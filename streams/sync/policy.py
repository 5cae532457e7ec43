"""The policy as the core folds under it: frozen, checked, with its look-ups made once.

`streams.policy` reads it from the YAML file and the rule files; nothing here reads anything. Which fields are *alike*,
who wins a collision and what may be written where are answered from here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.vocabulary import DYNAMICS, MARKETO, RecordKind, RecordType, System
from streams.sync.messages import Value

FieldType = Literal[
    "text", "email", "phone", "url", "integer", "decimal", "boolean", "date", "datetime", "option", "options"
]
TEXT_TYPES: frozenset[FieldType] = frozenset(("text", "email", "phone", "url"))
"""Types whose values are texts in both systems, and canonical as they are."""

PLAIN: Mapping[FieldType, type] = {
    **dict.fromkeys(TEXT_TYPES, str),
    "date": str,
    "integer": int,
    "decimal": int,
    "boolean": bool,
}
"""What JSON gives for values of a type that are canonical as they stand, unless they are empty."""

Direction = Literal["both", "to_marketo", "to_dynamics"]
Winner = Literal["authority", "marketo", "dynamics", "latest"]
Computed = Literal["record_type", "is_deleted"]
Format = Literal["email", "phone", "url", "date", "datetime", "integer", "decimal", "boolean"]


class FieldRule(Struct, frozen=True):
    """One canonical field: its names in the systems (None where it has none), its type, and how it is synced.

    `block_updates`: the systems in which it is written once, later writes ignored. `default`: for new records.
    `options`: of an option field, canonical label -> the Dynamics option's number. `computed`: leadsync knows the value
    itself (*Microsoft Type*, *Microsoft is Deleted*); such a field goes to Marketo only.
    """

    name: str
    type: FieldType
    marketo: str | None = None
    lead: str | None = None
    contact: str | None = None
    direction: Direction = "both"
    winner: Winner = "authority"
    unless_blank: bool = False
    default: Value = None
    block_updates: frozenset[System] = frozenset()
    options: Mapping[str, int] | None = None
    computed: Computed | None = None

    def column(self, kind: RecordKind) -> str | None:
        """The field's name on a record of this kind; None where the kind has no such field."""
        if kind == "person":
            return self.marketo
        return self.lead if kind == "lead" else self.contact


class AttributeRule(Struct, frozen=True):
    """What a system asks of one of its fields, in the system's own name. Lengths in characters.

    `required` on create and whenever an update would leave it empty; `options` the allowed values, `multiple` where a
    value may name several of them (`1,3` in Dynamics, `A;B` in Marketo).
    """

    name: str
    required: bool = False
    length_max: int | None = None
    bytes_max: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    options: frozenset[str | int] | None = None
    multiple: bool = False
    format: Format | None = None
    creatable: bool = True
    updatable: bool = True


class Policy(Struct, frozen=True):
    """Everything that decides, under its digest.

    `inbound`: record kind -> the system's field name -> the canonical field. `outbound`: record kind -> canonical name ->
    the system's field name, for the fields that may be written there. `rules`: record kind -> field name -> what is asked.
    Most of a row: `plain`: record kind -> the system's field name -> canonical name and the type whose values, the empty text
    apart, are canonical as they stand; `options`: record kind -> the system's field name -> each spelling -> canonical label.
    `received`: system -> the one-way fields of which the other system's record is the source.
    `required`: record kind -> (the system's field name, canonical name) of each mapped field that must not be empty.
    `authority`: who wins, by record type. `collision_window_seconds`: of two unseen edits further apart, the later stands.
    """

    digest: str
    fields: Mapping[str, FieldRule]
    inbound: Mapping[RecordKind, Mapping[str, FieldRule]]
    outbound: Mapping[RecordKind, Mapping[str, str]]
    rules: Mapping[RecordKind, Mapping[str, AttributeRule]]
    authority: Mapping[RecordType, System]
    required: Mapping[RecordKind, tuple[tuple[str, str], ...]]
    collision_window_seconds: float | None = None
    dedupe: Literal["email"] | None = None
    propagate_deletes_to: frozenset[System] = frozenset()
    filter_column: str | None = None
    plain: Mapping[RecordKind, Mapping[str, tuple[str, type]]] = {}
    options: Mapping[RecordKind, Mapping[str, Mapping[str | int, str]]] = {}
    received: Mapping[System, frozenset[str]] = {}


def compiled(
    digest: str,
    fields: Mapping[str, FieldRule],
    rules: Mapping[RecordKind, Mapping[str, AttributeRule]],
    authority: Mapping[RecordType, System] | None = None,
    collision_window_seconds: float | None = None,
    dedupe: Literal["email"] | None = None,
    propagate_deletes_to: frozenset[System] = frozenset(),
    filter_column: str | None = None,
) -> Policy:
    """A policy with its look-ups made from the field rules. Default authority: Marketo for leads, Dynamics for contacts."""
    kinds: tuple[RecordKind, ...] = ("person", "lead", "contact")
    inbound: dict[RecordKind, dict[str, FieldRule]] = {kind: {} for kind in kinds}
    outbound: dict[RecordKind, dict[str, str]] = {kind: {} for kind in kinds}
    for rule in fields.values():
        for kind in kinds:
            column = rule.column(kind)
            if column is None:
                continue
            inbound[kind][column] = rule
            if rule.direction in ("both", "to_marketo" if kind == "person" else "to_dynamics"):
                outbound[kind][rule.name] = column
    return Policy(
        digest=digest,
        fields=dict(fields),
        inbound=inbound,
        outbound=outbound,
        rules=rules,
        authority=authority or {"lead": "marketo", "contact": "dynamics"},
        required={
            kind: tuple(
                (column, rule.name)
                for column, rule in sorted(inbound[kind].items())
                if (asked := rules.get(kind, {}).get(column)) is not None and asked.required
            )
            for kind in kinds
        },
        collision_window_seconds=collision_window_seconds,
        dedupe=dedupe,
        propagate_deletes_to=propagate_deletes_to,
        filter_column=filter_column,
        plain={
            kind: {
                column: (rule.name, PLAIN[rule.type]) for column, rule in inbound[kind].items() if rule.type in PLAIN
            }
            for kind in kinds
        },
        options={
            kind: {column: _spellings(rule.options) for column, rule in inbound[kind].items() if rule.type == "option"}
            for kind in kinds
        },
        received={
            MARKETO: _one_way(fields, "to_marketo"),
            DYNAMICS: _one_way(fields, "to_dynamics"),
        },
    )


def _one_way(fields: Mapping[str, FieldRule], direction: Direction) -> frozenset[str]:
    """The fields of this direction whose source is the other record; not what we know ourselves."""
    return frozenset(name for name, rule in fields.items() if rule.direction == direction and rule.computed is None)


def _spellings(options: Mapping[str, int] | None) -> Mapping[str | int, str]:
    """Label and number of each option; none where a label could be read as a number, which depends on who spells it."""
    if options is None or any(label.strip().removeprefix("-").isdigit() for label in options):
        return {}
    return {
        **{number: label for label, number in reversed(list(options.items()))},
        **{label: label for label in options},
    }
