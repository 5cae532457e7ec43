"""The contracts as the hot path reads and writes them: msgspec structs, some ten times faster than their pydantic models.

`schemas` is the source; `tests/test_codec.py` holds both equal on generated messages. Fields mean what they mean there.
What no type says of a message is checked in `streams/checking.py`, when it is read.
Times are RFC 3339 strings kept as they came; values are what JSON can say: text, numbers, booleans, null, lists of text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.activity import ActivityKind
from schemas.limits import (
    CAUSES_MAX,
    CREATIONS_MAX,
    FIELDS_MAX,
    ID_CHARACTERS_MAX,
    INTEGER_MAX,
    NAME_CHARACTERS_MAX,
    OPTIONS_MAX,
    TEXT_CHARACTERS_MAX,
    TIME_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    VERSION_MAX,
)
from schemas.person_change import PersonKind
from schemas.source_change import Action, Campaign, SourceKind
from schemas.vocabulary import (
    TIME_PATTERN,
    Answer,
    Lane,
    Operation,
    RecordKind,
    RecordType,
    Scope,
    System,
)

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARACTERS_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]
ValueText = Annotated[str, Meta(max_length=VALUE_CHARACTERS_MAX)]
Integer = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Value = ValueText | bool | Integer | float | Annotated[tuple[ValueText, ...], Meta(max_length=OPTIONS_MAX)] | None
Fields = Annotated[Mapping[Name, Value], Meta(max_length=FIELDS_MAX)]
Version = Annotated[int, Meta(ge=0, le=VERSION_MAX)]
CreationNumber = Annotated[int, Meta(ge=0, le=CREATIONS_MAX)]
Time = Annotated[str, Meta(max_length=TIME_CHARACTERS_MAX, extra_json_schema={"pattern": TIME_PATTERN})]


class Record(Struct, frozen=True, gc=False):
    """A Marketo person, a Dynamics lead or a Dynamics contact, under its system's id."""

    system: System
    type: RecordKind
    id: Id


class SourceChange(
    Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="source-change/1"
):
    """schemas.source_change.SourceChange."""

    change_id: Id
    kind: SourceKind
    record: Record
    version: Version | None = None
    fields: Fields | None = None
    scope: Scope = "partial"
    revision: Version | None = None
    person_key: Id | None = None
    creation: CreationNumber | None = None
    time: Time | None = None
    who: Name | None = None
    action: Action | None = None
    sync_as: RecordType = "lead"
    owner: Id | None = None
    campaign: Campaign = "trigger"
    updated_at: Time | None = None
    other: Record | None = None
    winner: Record | None = None
    winner_person_key: Id | None = None
    contact: Record | None = None


class Row(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """schemas.apply_result.Row."""

    record: Record
    version: Version
    fields: Fields
    revision: Version | None = None
    creation: CreationNumber | None = None
    time: Time | None = None
    who: Name | None = None


class ApplyResult(
    Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="apply-result/1"
):
    """schemas.apply_result.ApplyResult."""

    result_id: Id
    command_id: Id
    person_key: Id
    system: System
    answer: Answer
    record: Record | None = None
    row: Row | None = None
    twin_person_key: Id | None = None
    gone: Literal["deleted", "closed"] = "deleted"
    code: Name | None = None
    field: Name | None = None
    message: Text | None = None
    time: Time | None = None


class PersonChange(
    Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="person-change/1"
):
    """schemas.person_change.PersonChange."""

    change_id: Id
    person_key: Id
    policy: Id
    kind: PersonKind
    system: System
    record: Record | None = None
    version: Version | None = None
    fields: Fields | None = None
    scope: Scope = "partial"
    syncable: bool | None = None
    revision: Version | None = None
    creation: CreationNumber | None = None
    time: Time | None = None
    who: Name | None = None
    action: Action | None = None
    sync_as: RecordType = "lead"
    owner: Id | None = None
    campaign: Campaign = "trigger"
    updated_at: Time | None = None
    other: Record | None = None
    winner: Record | None = None
    winner_person_key: Id | None = None
    contact: Record | None = None
    lead: Id | None = None
    command_id: Id | None = None
    answer: Answer | None = None
    twin_person_key: Id | None = None
    gone: Literal["deleted", "closed"] = "deleted"
    code: Name | None = None
    field: Name | None = None
    message: Text | None = None


class ApplyCommand(
    Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="apply-command/1"
):
    """schemas.apply_command.ApplyCommand."""

    command_id: Id
    person_key: Id
    system: System
    operation: Operation
    revision: Version
    record: Record | None = None
    fields: Fields | None = None
    expected: Fields | None = None
    key: Id | None = None
    creation: CreationNumber | None = None
    owner: Id | None = None
    dedupe: Literal["email"] | None = None
    lane: Lane = "first"
    causes: Annotated[tuple[Id, ...], Meta(max_length=CAUSES_MAX)] = ()


class CollidingEdit(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """schemas.activity.CollidingEdit."""

    change_id: Id
    value: Value = None
    time: Time | None = None
    who: Name | None = None


Rule = Literal["authority", "marketo", "dynamics", "latest", "unless_blank", "collision_window", "one_way"]


class Activity(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="activity/1"):
    """schemas.activity.Activity."""

    activity_id: Id
    person_key: Id
    kind: ActivityKind
    cause: Id
    time: Time | None = None
    who: Name | None = None
    record_type: RecordType | None = None
    system: System | None = None
    record: Record | None = None
    field: Name | None = None
    base: Value = None
    marketo: CollidingEdit | None = None
    dynamics: CollidingEdit | None = None
    winner: System | None = None
    rule: Rule | None = None
    operation: Operation | None = None
    code: Name | None = None
    value: Value = None
    message: Text | None = None
