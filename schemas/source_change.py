"""SourceChange: one entry of a record's stream, as its system tells it, in the system's own field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.vocabulary import (
    Contract,
    CreationNumber,
    Fields,
    Id,
    Lane,
    Name,
    Record,
    RecordType,
    Revision,
    Scope,
    Time,
    Version,
    check_kind,
    kind_rules,
)

SourceKind = Literal["created", "updated", "deleted", "converted", "merged", "linked", "requested"]
Action = Literal["sync_person", "retry"]
Campaign = Literal["trigger", "batch"]

CAMPAIGN_LANES: Mapping[Campaign, Lane] = {"trigger": "first", "batch": "background"}

REQUIRED_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "created": ("version", "fields"),
    "updated": ("version", "fields"),
    "deleted": ("version",),
    "converted": ("version", "contact"),
    "merged": ("version", "winner", "winner_person_key"),
    "linked": ("person_key",),
    "requested": ("action",),
}


class SourceChange(Contract):
    """A change of one record. Key of its message: the stream, which is the record's id (for a contact, of its lead).

    `version` rises per record over changes, deletions and merges together; a change at or below the last one is a
    repeat and has no effect. `fields` holds the new values: with `scope` `partial` those that changed, with `row` the
    whole row as read; a field that is not stated is not known, an emptied one is stated as null. A record that
    leadsync created must be reported with its `person_key`, or it becomes a person of its own.
    """

    model_config = ConfigDict(title="SourceChange", json_schema_extra=kind_rules(REQUIRED_BY_KIND))

    contract: Literal["source-change/1"] = "source-change/1"
    change_id: Id
    kind: SourceKind
    record: Record
    version: Version | None = None
    fields: Fields | None = None
    scope: Scope = "partial"
    revision: Annotated[Revision | None, Field(description="Our revision, if this change or row shows it.")] = None
    person_key: Annotated[Id | None, Field(description="The person key of our key field, if the record holds it.")] = (
        None
    )
    creation: CreationNumber | None = None
    time: Annotated[Time | None, Field(description="When it happened, by the system's own clock.")] = None
    who: Annotated[Name | None, Field(description="Who last changed it; `leadsync` for our own writes.")] = None
    action: Action | None = None
    sync_as: Annotated[RecordType, Field(description="What Sync Person makes in Dynamics.")] = "lead"
    owner: Annotated[Id | None, Field(description="The Dynamics user that a Sync Person assigns.")] = None
    campaign: Campaign = "trigger"
    updated_at: Annotated[
        Time | None, Field(description="Of a `requested` with fields: the person's own updatedAt.")
    ] = None
    other: Annotated[Record | None, Field(description="Of a `linked`: the record in the other system.")] = None
    winner: Record | None = None
    winner_person_key: Id | None = None
    contact: Record | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        check_kind(self, REQUIRED_BY_KIND, self.kind)
        return self
