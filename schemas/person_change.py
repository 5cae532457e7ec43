"""PersonChange: the same facts in canonical field names, resolved to a person. The only input of `sync`; kept for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.source_change import Action, Campaign
from schemas.vocabulary import (
    Answer,
    Contract,
    CreationNumber,
    Fields,
    Id,
    Name,
    Record,
    RecordType,
    Revision,
    Scope,
    System,
    Text,
    Time,
    Version,
    check_kind,
    kind_rules,
)

PersonKind = Literal[
    "created", "updated", "deleted", "converted", "merged", "linked", "unlinked", "requested", "answered"
]

REQUIRED_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "created": ("record", "version", "fields"),
    "updated": ("record", "version", "fields"),
    "deleted": ("record", "version"),
    "converted": ("record", "version", "contact"),
    "merged": ("record", "version", "winner", "winner_person_key"),
    "linked": ("record",),
    "unlinked": ("record",),
    "requested": ("record", "action"),
    "answered": ("command_id", "answer"),
}


class PersonChange(Contract):
    """One entry of the event log. Key of its message: the person key.

    An `answered` is an ApplyResult; where it brings a row, `record`, `version`, `fields`, `revision`, `time` and `who`
    are the row's. `policy` is the digest under which intake read it and `sync` folds it.
    """

    model_config = ConfigDict(title="PersonChange", json_schema_extra=kind_rules(REQUIRED_BY_KIND))

    contract: Literal["person-change/1"] = "person-change/1"
    change_id: Id
    person_key: Id
    policy: Id
    kind: PersonKind
    system: System
    record: Record | None = None
    version: Version | None = None
    fields: Fields | None = None
    scope: Scope = "partial"
    syncable: Annotated[bool | None, Field(description="The sync filter's value, where the change states it.")] = None
    revision: Revision | None = None
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
    lead: Annotated[
        Id | None, Field(description="Of a contact: the lead that it came from, in whose stream it stands.")
    ] = None
    command_id: Id | None = None
    answer: Answer | None = None
    twin_person_key: Id | None = None
    gone: Literal["deleted", "closed"] = "deleted"
    code: Name | None = None
    field: Name | None = None
    message: Text | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        check_kind(self, REQUIRED_BY_KIND, self.kind)
        return self
