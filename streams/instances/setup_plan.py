"""What `leadsync setup` would make, found by comparing what is wanted with what is there. Pure.

Wanted are our two fields on each kind of record, and the activity type in which Marketo users find what became of a sync. What
is there in the wrong type is left as it is and told: nothing that somebody else made is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.limits import DYNAMICS_KEY_CHARACTERS_MAX, REVISION_MAX
from schemas.vocabulary import RecordKind, RecordType, System
from streams.connectors.marketo.names import ACTIVITY_ATTRIBUTES, ACTIVITY_PRIMARY
from streams.connectors.our_fields import DYNAMICS_KEY, DYNAMICS_REVISION, MARKETO_KEY, MARKETO_REVISION, SYNC_ACTIVITY
from streams.instances.live import LiveColumn, LiveTable

State = Literal["there", "missing", "wrong"]

MARKETO_TYPES: Mapping[str, str] = {MARKETO_KEY: "string", MARKETO_REVISION: "integer"}
DYNAMICS_TYPES: Mapping[str, str] = {
    DYNAMICS_KEY: f"text of {DYNAMICS_KEY_CHARACTERS_MAX} characters",
    DYNAMICS_REVISION: "whole number",
}
ATTRIBUTE_TYPES = ("string", "text")
"""What an attribute of the activity type may be; `text` is the one that takes long messages."""


@dataclass(frozen=True)
class Item:
    """One thing that is wanted. `on`: the kind of record, or `activity type`. `remark`: what is wrong, or what is to be done."""

    system: System
    on: str
    name: str
    type: str
    state: State
    remark: str = ""


@dataclass(frozen=True)
class ActivityType:
    """The activity type as Marketo has it. `attributes`: api name -> type, those of a draft included."""

    is_approved: bool
    has_draft: bool
    primary: str
    attributes: Mapping[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Attributes that are still to be added."""
        return tuple(name for name in ACTIVITY_ATTRIBUTES if name not in self.attributes)


def marketo_items(person: LiveTable, activity: ActivityType | None) -> list[Item]:
    """Our two fields of a person, and the activity type."""
    fields = [_field(name, data_type, person.columns.get(name)) for name, data_type in MARKETO_TYPES.items()]
    return [*fields, _activity(activity)]


def dynamics_items(tables: Mapping[RecordKind, LiveTable]) -> list[Item]:
    """Our two columns of each kind of record."""
    kinds: tuple[RecordType, ...] = ("lead", "contact")
    return [_column(kind, name, tables[kind].columns.get(name)) for kind in kinds for name in DYNAMICS_TYPES]


def our_columns(table: LiveTable) -> list[Item]:
    """Our two columns of one kind of record."""
    if table.kind == "person":
        return [_field(name, data_type, table.columns.get(name)) for name, data_type in MARKETO_TYPES.items()]
    return [_column(table.kind, name, table.columns.get(name)) for name in DYNAMICS_TYPES]


def _field(name: str, data_type: str, found: LiveColumn | None) -> Item:
    if found is None:
        return Item("marketo", "person", name, data_type, "missing")
    complaint = _wrong_field(data_type, found)
    return Item("marketo", "person", name, data_type, "wrong" if complaint else "there", complaint)


def _wrong_field(data_type: str, found: LiveColumn) -> str:
    if found.type != data_type:
        return f"is there as {found.type}; allowed: {data_type}"
    if not (found.rule.creatable and found.rule.updatable):
        return "is there, but read-only; allowed: a field that REST can write"
    if data_type == "string" and not found.searchable:
        return "is there, but people can't be looked up by it; allowed: a custom field of type string"
    return ""


def _column(kind: RecordType, name: str, found: LiveColumn | None) -> Item:
    wanted = DYNAMICS_TYPES[name]
    if found is None:
        return Item("dynamics", kind, name, wanted, "missing")
    complaint = _wrong_key(found) if name == DYNAMICS_KEY else _wrong_revision(found)
    if not complaint and not (found.rule.creatable and found.rule.updatable):
        complaint = "is there, but read-only; allowed: a column that can be written on create and update"
    return Item("dynamics", kind, name, wanted, "wrong" if complaint else "there", complaint)


def _wrong_key(found: LiveColumn) -> str:
    allowed = f"text (String) of at least {DYNAMICS_KEY_CHARACTERS_MAX} characters"
    if found.type != "String":
        return f"is there as {found.type}; allowed: {allowed}"
    length = found.rule.length_max
    short = length is not None and length < DYNAMICS_KEY_CHARACTERS_MAX
    return f"is there with {length} characters; allowed: {allowed}" if short else ""


def _wrong_revision(found: LiveColumn) -> str:
    allowed = f"a whole number (Integer) up to {REVISION_MAX:,}"
    if found.type != "Integer":
        return f"is there as {found.type}; allowed: {allowed}"
    largest = found.rule.maximum
    short = largest is not None and largest < REVISION_MAX
    return f"is there with a maximum of {largest:,.0f}; allowed: {allowed}" if short else ""


def _activity(found: ActivityType | None) -> Item:
    def item(state: State, remark: str = "") -> Item:
        return Item("marketo", "activity type", SYNC_ACTIVITY, f"{len(ACTIVITY_ATTRIBUTES)} attributes", state, remark)

    if found is None:
        return item("missing")
    complaint = "; ".join(_wrong_attributes(found))
    if complaint:
        return item("wrong", complaint)
    if found.missing:
        return item("missing", f"is there without {', '.join(found.missing)}")
    return item("there") if found.is_approved and not found.has_draft else item("missing", "is a draft, not approved")


def _wrong_attributes(found: ActivityType) -> Iterator[str]:
    if found.primary != ACTIVITY_PRIMARY:
        yield f"its primary attribute is {found.primary or 'none'}; allowed: {ACTIVITY_PRIMARY}"
    for name in ACTIVITY_ATTRIBUTES:
        data_type = found.attributes.get(name)
        if data_type is not None and data_type not in ATTRIBUTE_TYPES:
            yield f"its attribute {name} is there as {data_type}; allowed: {', '.join(ATTRIBUTE_TYPES)}"


def activity_type_of(told: Mapping[str, Any]) -> ActivityType:
    """From the type's own description, its draft where it has one."""
    status = str(told.get("status", "")).lower()
    primary = told.get("primaryAttribute") or {}
    attributes = {str(each.get("apiName")): str(each.get("dataType", "")) for each in told.get("attributes") or ()}
    return ActivityType("approved" in status, "draft" in status, str(primary.get("apiName", "")), attributes)
